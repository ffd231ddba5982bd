//! Another configuration for a data path that runs.

use super::{Config, Loaded, Place, Undo, bring_up, follow, settle};
use crate::{error::Result, policy::sizes::Sizes};

impl Loaded {
    /// The options in which `config` differs from what runs in a way that only a
    /// new start can bring about, by the names of their keys.
    pub(crate) fn needs_restart(&self, config: &Config) -> Result<Vec<&'static str>> {
        let mut needs = Vec::new();
        if crate::sys::bpffs::canonical(&config.pin_path)? != self.pins.path() {
            needs.push("pin-path");
        }
        let (there, wanted) = (Sizes::of(&self.maps), config.sizes.or_default());
        for (key, there, wanted) in [
            ("max-sessions", there.sessions, wanted.sessions),
            ("max-expectations", there.expectations, wanted.expectations),
            ("max-transfers", there.transfers, wanted.transfers),
        ] {
            if there != wanted {
                needs.push(key);
            }
        }
        Ok(needs)
    }

    /// Makes the settings, the denied ports, the advertised addresses and the
    /// watched ports those of `config`. The interfaces stay.
    pub(crate) fn settle(&mut self, config: &Config) -> Result<()> {
        let interfaces = &self.report.interfaces;
        self.report.ports = settle(&self.maps, &self.pins, config, interfaces, true)?;
        Ok(())
    }

    /// Makes everything as `config` says, interfaces and programs included. If it
    /// fails, all is as it was before.
    pub(crate) fn replace(&mut self, config: &Config) -> Result<()> {
        let up = bring_up(config, Place::of(config)?, &self.pins, Undo::default())?;
        // Other tasks have handles of the maps that are open already: they are
        // the same ones.
        drop(up.maps);
        self.states = vec![follow::State::Served; up.report.interfaces.len()];
        self.report = up.report;
        self.objects = up.objects;
        self.log_level = config.log_level;
        self.domains.clone_from(&config.domains);
        let former = self.maps.interfaces.all()?;
        self.release_others(up.stale, &former, &up.devices);
        Ok(())
    }
}
