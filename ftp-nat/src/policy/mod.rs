//! What the data path may do: the settings that are the same for all
//! interfaces, as a person chooses them.
//!
//! | file | holds |
//! |---|---|
//! | [`denied`] | ports that are never opened, and for whom |
//! | [`range`] | a range of ports |
//! | [`mark`] | the firewall mark of data packets |
//! | [`timeout`] | how long an announcement waits for its connection |
//! | [`sizes`] | room in the tables |

pub mod denied;
pub mod mark;
pub mod range;
pub mod sizes;
pub mod timeout;

use ftp_nat_common::{
    layout::{
        EXPECT_TIMEOUT_SECS, EXPECTATIONS_PER_SOURCE, LAYOUT_VERSION, MARK, PORT_FIRST, PORT_LAST,
        SESSIONS_PER_SOURCE, SETTING_DENY_SERVERS, SETTING_HAIRPIN, SETTING_STACK,
        SETTING_STACK_FLOWS, Settings,
    },
    translation::SECOND,
};

use self::{denied::DeniedPorts, mark::Mark, range::PortRange, timeout::ExpectTimeout};

/// How new data connections are forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataPath {
    /// From one interface to the other, past the stack.
    #[default]
    Redirect,
    /// By the stack, which sees and may filter them.
    Stack,
}

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Hosts inside may use the announcements of others inside (hairpin).
    pub hairpin: bool,
    /// Ports that are never opened for clients.
    pub denied: DeniedPorts,
    /// They aren't opened for servers either.
    pub deny_servers: bool,
    /// How long an announcement waits for its data connection.
    pub expect_timeout: ExpectTimeout,
    /// Control connections of one client address at a time.
    pub max_sessions_per_source: u32,
    /// Announcements of one address that wait at a time.
    pub max_pending_per_source: u32,
    /// The mark of data packets that the stack forwards.
    pub mark: Mark,
    /// How new data connections are forwarded.
    pub data_path: DataPath,
    /// The servers' passive ports that clients of encrypted sessions may reach.
    pub ftps_passive_range: Option<PortRange>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            hairpin: true,
            denied: DeniedPorts::default(),
            deny_servers: false,
            expect_timeout: ExpectTimeout::default(),
            max_sessions_per_source: SESSIONS_PER_SOURCE,
            max_pending_per_source: EXPECTATIONS_PER_SOURCE,
            mark: Mark::default(),
            data_path: DataPath::Redirect,
            ftps_passive_range: None,
        }
    }
}

/// The settings of a fresh load without options.
#[must_use]
pub const fn default_settings() -> Settings {
    Settings {
        layout_version: LAYOUT_VERSION,
        flags: SETTING_HAIRPIN,
        expect_timeout_ns: EXPECT_TIMEOUT_SECS * SECOND,
        port_first: PORT_FIRST,
        port_last: PORT_LAST,
        encrypted_first: 0,
        encrypted_last: 0,
        mark: MARK,
        mark_mask: MARK,
        max_sessions_per_source: SESSIONS_PER_SOURCE,
        max_expectations_per_source: EXPECTATIONS_PER_SOURCE,
        pickup_until_ns: 0,
    }
}

impl Policy {
    /// What the kernel side is told, given what it was told before.
    #[must_use]
    pub fn settings(&self, former: Option<&Settings>) -> Settings {
        let mut flags = 0;
        if self.hairpin {
            flags |= SETTING_HAIRPIN;
        }
        if self.deny_servers {
            flags |= SETTING_DENY_SERVERS;
        }
        if self.data_path == DataPath::Stack {
            flags |= SETTING_STACK | SETTING_STACK_FLOWS;
        }
        // A connection stays on the path that it began on.
        flags |= former.map_or(0, |former| former.flags) & SETTING_STACK_FLOWS;
        let (encrypted_first, encrypted_last) =
            self.ftps_passive_range.map_or((0, 0), PortRange::ends);
        Settings {
            flags,
            encrypted_first,
            encrypted_last,
            expect_timeout_ns: self.expect_timeout.seconds() * SECOND,
            mark: self.mark.value(),
            mark_mask: self.mark.mask(),
            max_sessions_per_source: self.max_sessions_per_source,
            max_expectations_per_source: self.max_pending_per_source,
            pickup_until_ns: former.map_or(0, |former| former.pickup_until_ns),
            ..default_settings()
        }
    }
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::layout::SETTING_DRAINING;

    use super::*;

    #[test]
    fn no_option_gives_the_defaults() {
        assert_eq!(Policy::default().settings(None), default_settings());
    }

    #[test]
    fn every_option_reaches_the_kernel_side() {
        let policy = Policy {
            hairpin: false,
            denied: DeniedPorts::default(),
            deny_servers: true,
            expect_timeout: "90".parse().unwrap(),
            max_sessions_per_source: 7,
            max_pending_per_source: 8,
            mark: "0x10/0xf0".parse().unwrap(),
            data_path: DataPath::Stack,
            ftps_passive_range: Some("50000-50099".parse().unwrap()),
        };
        let expected = Settings {
            encrypted_first: 50_000,
            encrypted_last: 50_099,
            flags: SETTING_DENY_SERVERS | SETTING_STACK | SETTING_STACK_FLOWS,
            expect_timeout_ns: 90 * SECOND,
            mark: 0x10,
            mark_mask: 0xf0,
            max_sessions_per_source: 7,
            max_expectations_per_source: 8,
            ..default_settings()
        };
        assert_eq!(policy.settings(None), expected);
    }

    #[test]
    fn connections_through_the_stack_are_followed_to_their_end() {
        let former = Settings {
            flags: SETTING_STACK | SETTING_STACK_FLOWS | SETTING_DRAINING,
            ..default_settings()
        };
        // Neither the old path nor the draining goes on.
        let now = Policy::default().settings(Some(&former));
        assert_eq!(now.flags, SETTING_HAIRPIN | SETTING_STACK_FLOWS);
    }
}
