//! Every counter, by name. The same list feeds the kernel programs, `stats`,
//! metrics and tests.

macro_rules! counters {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal, )+) => {
        /// An index into the per-CPU counter map.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter { $( $(#[doc = $doc])+ $variant, )+ }

        impl Counter {
            /// All counters in the order of the map.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The stable name, as `stats --json` prints it.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// What is counted, in a sentence.
            pub const fn description(self) -> &'static str {
                match self { $( Self::$variant => concat!($($doc),+), )+ }
            }
        }
    };
}

counters! {
    /// Control connections whose two views were learned.
    SessionsLearned = "sessions_learned",
    /// Control connections that became trusted: exact inverse views and a complete handshake.
    SessionsTrusted = "sessions_trusted",
    /// A pairing key was used by two live tuples; neither was learned.
    PairingCollisions = "pairing_collisions",
    /// The views of SYN and SYN-ACK were not inverses of each other.
    PairingMismatches = "pairing_mismatches",
    /// New control connections not followed because the session table was full.
    SessionsTableFull = "sessions_table_full",
    /// New control connections not followed because their client has as many as one may have.
    SessionsSourceCap = "sessions_source_cap",
    /// Packets of a control or data connection that came from the other side of the gateway than their sender is on; passed untouched.
    WrongSide = "wrong_side",
    /// Connections to a control port that do not speak FTP; passed untouched.
    NotFtp = "not_ftp",
    /// Control connections that went over to TLS.
    SessionsEncrypted = "sessions_encrypted",
    /// Control segments handled.
    ControlSegments = "control_segments",
    /// Announcements rewritten.
    Rewrites = "rewrites",
    /// Rewrites whose text changed its length, so that sequence numbers are shifted.
    RewritesShifted = "rewrites_shifted",
    /// Announcements that needed no new text, only a pinhole.
    PinholesOnly = "pinholes_only",
    /// Refused: the announced address is not the sender's own.
    RefusedForeignAddress = "refused_foreign_address",
    /// Refused: the announced port is below 1024 or denied.
    RefusedPort = "refused_port",
    /// Refused: the session is not trusted to open pinholes.
    RefusedUntrusted = "refused_untrusted",
    /// Refused: a passive reply that nobody asked for, or an announcement after `EPSV ALL`.
    RefusedUnsolicited = "refused_unsolicited",
    /// Refused: the data path is being drained by `unload`.
    RefusedDraining = "refused_draining",
    /// Refused: the expectation table was full.
    RefusedTableFull = "refused_table_full",
    /// Refused: as many announcements of the sender wait for their connection as one may have.
    RefusedSourceCap = "refused_source_cap",
    /// Refused: no external port was free.
    RefusedNoPort = "refused_no_port",
    /// Passed: the line could not be parsed as an announcement.
    PassedUnparsed = "passed_unparsed",
    /// Passed: EPRT of another family than the control connection (RFC 2428: the server says 522).
    PassedOtherFamily = "passed_other_family",
    /// Passed: LPRT or 228 (RFC 1639), recognised but not rewritten.
    PassedLongForm = "passed_long_form",
    /// Passed: too many edits outstanding in one window.
    PassedNoEditSlot = "passed_no_edit_slot",
    /// Passed: the line began in a range that was forwarded out of order.
    PassedFrozen = "passed_frozen",
    /// Segments replaced by a probe because all of their text is held.
    Probes = "probes",
    /// Segments cut because the edited text did not fit.
    SegmentsCut = "segments_cut",
    /// Dropped: a control segment beyond a hole (TCP resends it).
    DroppedOutOfOrder = "dropped_out_of_order",
    /// Dropped: the session was locked by another CPU (TCP resends it).
    DroppedLockBusy = "dropped_lock_busy",
    /// Dropped: inconsistent FIN, or nothing of the segment could be sent.
    DroppedBadSegment = "dropped_bad_segment",
    /// Dropped: a control segment whose TCP checksum is wrong.
    DroppedBadChecksum = "dropped_bad_checksum",
    /// Dropped: a helper of the kernel refused to edit the packet.
    DroppedEditFailed = "dropped_edit_failed",
    /// Acknowledgements beyond anything sent; passed unmapped.
    AckBeyondSent = "ack_beyond_sent",
    /// Acknowledgements beyond what was seen that moved the stream on.
    Resyncs = "resyncs",
    /// Expectations made.
    ExpectationsMade = "expectations_made",
    /// Expectations consumed by their data connection.
    ExpectationsUsed = "expectations_used",
    /// Expectations that ended without a data connection.
    ExpectationsExpired = "expectations_expired",
    /// Expectations withdrawn: superseded, refused by the other end, or the session ended.
    ExpectationsWithdrawn = "expectations_withdrawn",
    /// Data SYN to an announced port that was not expected: from a host that is not the session's far end, or once more after its connection was made.
    RefusedDataSource = "refused_data_source",
    /// Data connections made.
    FlowsMade = "flows_made",
    /// Data connections among them to the declared passive port of an encrypted session's server.
    FlowsEncrypted = "flows_encrypted",
    /// Data connections among them from a server's default data port (RFC 959), which nobody announced.
    FlowsDefaultPort = "flows_default_port",
    /// Data connections among them that the stack forwards.
    StackFlowsMade = "stack_flows_made",
    /// Data SYNs that were dropped because they couldn't be recognised after the stack (TCP resends them).
    StackSynLost = "stack_syn_lost",
    /// Data connections refused because the flow table was full.
    FlowsTableFull = "flows_table_full",
    /// Data connections of encrypted sessions refused because their client has as many as one may have.
    FlowsSourceCap = "flows_source_cap",
    /// Data packets forwarded.
    DataPackets = "data_packets",
    /// Data packets whose TTL or hop limit ended here.
    DataTtlExceeded = "data_ttl_exceeded",
    /// Data packets too big for the way out, answered by ICMP.
    DataTooBig = "data_too_big",
    /// Data packets for which there was no route; dropped, as a router drops them.
    DataNoRoute = "data_no_route",
    /// ICMP errors about data packets, translated and sent on to their sender.
    IcmpTranslated = "icmp_translated",
    /// Dropped: an ICMP error about a data packet whose TTL ended here or that had no way out.
    IcmpDropped = "icmp_dropped",
    /// ICMP errors about control packets whose quoted sequence number was mapped.
    IcmpRenumbered = "icmp_renumbered",
    /// Control connections with TCP MD5 or TCP-AO signatures, which nobody may edit; passed.
    Signed = "signed",
    /// Events that found no room in the ring buffer, or in a segment's notes; `explain` and `events` lack them.
    EventsLost = "events_lost",
    /// Fragments of TCP packets; those of data connections are forwarded, the text of control connections in them isn't read.
    Fragments = "fragments",
    /// Dropped: a control segment in fragments whose bytes may need different sequence numbers.
    DroppedFragment = "dropped_fragment",
    /// A part of the programs was missing for a packet: dropped if it is of a control connection that is followed (TCP resends it), passed otherwise.
    StageMissing = "stage_missing",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_map_order_and_names_are_unique() {
        for (i, c) in Counter::ALL.iter().enumerate() {
            assert_eq!(*c as usize, i);
            assert!(!c.description().is_empty());
            assert_eq!(
                Counter::ALL.iter().filter(|d| d.name() == c.name()).count(),
                1
            );
        }
    }
}
