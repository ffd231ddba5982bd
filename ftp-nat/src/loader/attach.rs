//! The attach policy: where the programs hang, and in which order to others.
//!
//! First at ingress and last at egress, so that any other program's NAT lies
//! between the two. On Linux 6.6 and newer by TCX links, which are pinned: they
//! outlive the process, and a new program is put on them without a gap. Before
//! that by clsact filters, which can't be pinned: they stay by themselves and
//! are found again by a fixed preference and handle.

use std::{
    fmt,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
};

use aya::programs::{
    LinkOrder, ProgramError, SchedClassifier, TcAttachType,
    links::FdLink,
    tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle},
};
use ftp_nat_common::layout::program;

use super::{
    interfaces::Selected,
    object::Object,
    pins::Pins,
    undo::{Step, Undo},
};
use crate::{
    conflicts::Runner,
    error::{Error, Result},
    sys::{
        bpf, filters,
        links::{self, Device},
        privileges::{KERNEL_TCX, KernelVersion},
    },
};

/// One of the two hooks of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Packets that come in.
    Ingress,
    /// Packets that go out.
    Egress,
}

impl Side {
    /// Both.
    pub(crate) const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];

    /// As it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// The program that belongs here.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Ingress => program::INGRESS,
            Self::Egress => program::EGRESS,
        }
    }

    const fn attach_type(self) -> TcAttachType {
        match self {
            Self::Ingress => TcAttachType::Ingress,
            Self::Egress => TcAttachType::Egress,
        }
    }

    /// `BPF_TCX_INGRESS` and `BPF_TCX_EGRESS`.
    const fn number(self) -> u32 {
        match self {
            Self::Ingress => 46,
            Self::Egress => 47,
        }
    }

    fn from_kernel(attach_type: u32) -> Option<Self> {
        Self::BOTH
            .into_iter()
            .find(|side| side.number() == attach_type)
    }

    fn tcx_options(self) -> TcAttachOptions {
        TcAttachOptions::TcxOrder(match self {
            Self::Ingress => LinkOrder::first(),
            Self::Egress => LinkOrder::last(),
        })
    }

    /// tc runs filters by ascending preference.
    const fn filter_preference(self) -> u16 {
        match self {
            Self::Ingress => 1,
            Self::Egress => u16::MAX,
        }
    }
}

/// Any number that others are unlikely to choose; it spells "ftp".
const FILTER_HANDLE: TcHandle = TcHandle::new(0x0066, 0x7470);

/// How programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// TCX links (Linux 6.6 and newer).
    Tcx,
    /// Filters of the clsact qdisc.
    Clsact,
}

impl Hook {
    /// As the command line calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }

    /// The hook to use: the one wanted, or the best that the kernel has.
    pub(super) fn choose(wanted: Option<Self>, kernel: KernelVersion) -> Result<Self> {
        match wanted {
            Some(Self::Tcx) if kernel < KERNEL_TCX => Err(Error::KernelTooOld {
                feature: "attaching by TCX",
                needed: "6.6",
                found: format!("{}.{}", kernel.0, kernel.1),
                advice: ": leave --hook out to attach by clsact",
            }),
            Some(hook) => Ok(hook),
            None if kernel < KERNEL_TCX => Ok(Self::Clsact),
            None => Ok(Self::Tcx),
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A pinned TCX link.
pub(super) struct PinnedLink {
    path: PathBuf,
    fd: OwnedFd,
    /// `None`: the interface is gone.
    pub(super) place: Option<(u32, Side)>,
    program_id: u32,
}

/// All links under the pin path.
pub(super) fn pinned_links(pins: &Pins) -> Result<Vec<PinnedLink>> {
    let mut links = Vec::new();
    for path in pins.link_files()? {
        let fail = || Error::io(format!("opening pinned link {}", path.display()));
        let fd = bpf::open_pinned(&path).map_err(fail())?;
        let info = bpf::link_info(fd.as_fd()).map_err(fail())?;
        let place = Side::from_kernel(info.attach_type)
            .filter(|_| info.kind == bpf::LINK_TYPE_TCX && info.ifindex != 0)
            .map(|side| (info.ifindex, side));
        links.push(PinnedLink {
            path,
            fd,
            place,
            program_id: info.program_id,
        });
    }
    Ok(links)
}

impl PinnedLink {
    /// Takes the program off its interface.
    pub(super) fn detach(self) -> Result<()> {
        // The link lives by its file and by our descriptor.
        super::pins::remove_file(&self.path).map(drop)
    }

    /// Puts a new program on the link, without a gap for packets.
    fn replace(self, program: &SchedClassifier, undo: &mut Undo) -> Result<()> {
        let fail = || Error::io(format!("replacing the program of {}", self.path.display()));
        let before = bpf::program_if_allowed(self.program_id).map_err(fail())?;
        let new = program.fd().map_err(|e| fail()(std::io::Error::other(e)))?;
        bpf::link_update(self.fd.as_fd(), new).map_err(fail())?;
        undo.push(match before {
            Some(before) => Step::Replaced(self.fd, before),
            None => Step::NoWayBack,
        });
        Ok(())
    }
}

/// Checks that the live links are on interfaces of this network namespace, and
/// that no other instance with other pins is on the selected ones.
pub(super) fn check_owners(
    links: &[PinnedLink],
    selected: &[Selected],
    devices: &[Device],
    pins: &Pins,
) -> Result<()> {
    for link in links {
        let Some((index, side)) = link.place else {
            continue;
        };
        let here = devices.iter().find(|d| d.index == index);
        let is_here = |device: &Device| {
            bpf::tcx_programs(device.index, side.number())
                .is_ok_and(|ids| ids.contains(&link.program_id))
        };
        if !here.is_some_and(is_here) {
            return Err(Error::OtherNamespace {
                path: pins.path().to_owned(),
            });
        }
    }
    for interface in selected {
        for side in Side::BOTH {
            let stranger = programs_on(&interface.name, side)
                .into_iter()
                .find(|(id, name)| {
                    name == side.program() && !links.iter().any(|link| link.program_id == *id)
                });
            if stranger.is_some() {
                return Err(Error::InterfaceTaken {
                    name: interface.name.clone(),
                });
            }
        }
    }
    Ok(())
}

/// The TCX programs of a hook, by id and name. Empty where there is no TCX, and
/// where the process may not look at programs (CAP_SYS_ADMIN).
fn programs_on(interface: &str, side: Side) -> Vec<(u32, String)> {
    SchedClassifier::query_tcx(interface, side.attach_type())
        .map(|(_, programs)| programs)
        .unwrap_or_default()
        .iter()
        .map(|info| (info.id(), info.name_as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Attaches the programs of `object` to `interface`: on the links that are
/// there already, new ones otherwise.
pub(super) fn attach(
    object: &mut Object,
    interface: &Selected,
    hook: Hook,
    links: &mut Vec<PinnedLink>,
    pins: &Pins,
    undo: &mut Undo,
) -> Result<()> {
    for side in Side::BOTH {
        let program = object.program(side.program())?;
        let place = Some((interface.index, side));
        let link = links.iter().position(|link| link.place == place);
        let link = link.map(|at| links.swap_remove(at));
        // Where the other hook was used before, the program comes off it first:
        // a packet that passes unhandled is resent, one handled twice is wrong.
        match (hook, link) {
            (Hook::Tcx, Some(link)) => link.replace(program, undo)?,
            (Hook::Tcx, None) => {
                remove_filter(&interface.name, side);
                attach_link(program, interface, side, pins, undo)?;
            }
            (Hook::Clsact, link) => {
                link.map_or(Ok(()), PinnedLink::detach)?;
                attach_filter(program, interface, side, undo)?;
            }
        }
    }
    Ok(())
}

fn failed(interface: &Selected, side: Side) -> impl Fn(ProgramError) -> Error {
    let what = format!("attaching to {} of {}", side.name(), interface.name);
    move |source| Error::Program {
        what: what.clone(),
        source: Box::new(source),
    }
}

fn attach_link(
    program: &mut SchedClassifier,
    interface: &Selected,
    side: Side,
    pins: &Pins,
    undo: &mut Undo,
) -> Result<()> {
    let fail = failed(interface, side);
    let id = program
        .attach_with_options(&interface.name, side.attach_type(), side.tcx_options())
        .map_err(&fail)?;
    let link = program.take_link(id).map_err(&fail)?;
    let path = pins.link(interface.index, side);
    let what = || Error::io(format!("pinning {}", path.display()));
    let link = FdLink::try_from(link).map_err(|e| what()(std::io::Error::other(e)))?;
    link.pin(&path)
        .map_err(|e| what()(std::io::Error::other(e)))?;
    undo.push(Step::Pinned(path));
    Ok(())
}

fn attach_filter(
    program: &mut SchedClassifier,
    interface: &Selected,
    side: Side,
    undo: &mut Undo,
) -> Result<()> {
    let fail = failed(interface, side);
    // It takes filters for egress too, without a complaint, and runs them at ingress.
    if links::has_ingress_qdisc(interface.index)? {
        return Err(Error::IngressQdisc {
            name: interface.name.clone(),
        });
    }
    if let Err(error) = tc::qdisc_add_clsact(&interface.name)
        && !already_exists(&error)
    {
        return Err(fail(error.into()));
    }
    let (kind, preference) = (side.attach_type(), side.filter_preference());
    // Replacing needs a filter that is there, creating needs that none is.
    let link =
        SchedClassifierLink::attached(&interface.name, kind, preference, FILTER_HANDLE, None)
            .map_err(|e| fail(TcError::IoError(e).into()))?;
    let id = match program.attach_to_link(link) {
        Ok(id) => id,
        Err(_) => {
            let options = TcAttachOptions::Netlink(NlOptions {
                priority: preference,
                handle: FILTER_HANDLE,
                classid: None,
            });
            let id = program
                .attach_with_options(&interface.name, kind, options)
                .map_err(&fail)?;
            undo.push(Step::Filter(interface.name.clone(), side));
            id
        }
    };
    // Dropping it would remove the filter. It has no descriptor to leak.
    std::mem::forget(program.take_link(id).map_err(&fail)?);
    Ok(())
}

fn already_exists(error: &TcError) -> bool {
    match error {
        TcError::AlreadyAttached => true,
        TcError::NetlinkError(e) => e.raw_os_error() == Some(libc::EEXIST),
        _ => false,
    }
}

/// Whether our filter is on a hook of an interface.
pub(super) fn has_filter(index: u32, side: Side) -> Result<bool> {
    let ours = u32::from(FILTER_HANDLE);
    let filters = filters::of(index, side == Side::Egress)?;
    Ok(filters
        .iter()
        .any(|f| f.handle == ours && f.preference == side.filter_preference()))
}

/// What runs on a hook of an interface, in this order: first TCX, then clsact.
pub(crate) fn chain(interface: &Selected, side: Side) -> Result<Vec<Runner>> {
    let tcx = programs_on(&interface.name, side).into_iter();
    let tcx = tcx.map(|(_, name)| Runner {
        clsact: false,
        name,
    });
    let filters = filters::of(interface.index, side == Side::Egress)?.into_iter();
    let filters = filters.map(|filter| Runner {
        clsact: true,
        name: filter.program.unwrap_or(filter.kind),
    });
    Ok(tcx.chain(filters).collect())
}

/// Removes our filter from a hook of an interface; gives whether it was there.
/// The clsact qdisc stays: others may have come to use it.
pub(super) fn remove_filter(interface: &str, side: Side) -> bool {
    // By name, not by handle: what isn't ours must stay. An interface without
    // clsact gives an error too, and has no filter either.
    tc::qdisc_detach_program(interface, side.attach_type(), side.program()).is_ok()
}
