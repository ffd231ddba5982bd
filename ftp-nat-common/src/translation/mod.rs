//! How data connections are translated.
//!
//! | module | holds |
//! |---|---|
//! | `expectation` | the pending ones |
//! | `flow` | those that are established, one direction each |
//! | `fragment` | what later fragments of a packet are known by |
//! | `way` | the way out of a flow's packets |

mod expectation;
mod flow;
mod fragment;
mod way;

pub use self::{
    expectation::{
        EXPECT_FROM_LOCAL, EXPECT_HAIRPIN, EXPECT_LOCAL, Expectation, ExpectationKey, Kind,
    },
    flow::{
        FLOW_CLOSED_NS, FLOW_ESTABLISHED, FLOW_ESTABLISHED_IDLE_NS, FLOW_FIN, FLOW_FORWARD,
        FLOW_PEER_FIN, FLOW_RESET_NS, FLOW_RST, FLOW_STACK, FLOW_TRANSITORY_NS, Flow,
    },
    fragment::{FRAGMENT_MAX_AGE_NS, Fragment, FragmentKey},
    way::{WAY_MAX_AGE_NS, Way},
};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
