//! `bpf(2)` where aya 0.14 offers nothing: batched and deleting look-ups, and
//! what a pinned TCX link is attached to.

use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use crate::maps::Shared;

/// Commands of `enum bpf_cmd` in <linux/bpf.h>.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Command {
    MapLookupElem = 1,
    MapUpdateElem = 2,
    ObjGet = 7,
    ProgGetFdById = 13,
    ObjGetInfoByFd = 15,
    ProgQuery = 16,
    MapLookupAndDeleteElem = 21,
    MapLookupBatch = 24,
    LinkUpdate = 29,
}

/// `union bpf_attr` of the commands on one element.
#[repr(C)]
struct Element {
    map_fd: u32,
    _pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Insert or overwrite.
pub(crate) const ANY: u64 = 0;
/// Insert only.
pub(crate) const NO_EXIST: u64 = 1;

/// # Safety
/// `Attr` must be the layout that `command` reads, and every address in it
/// must be valid for what the command does with it.
unsafe fn call<Attr>(command: Command, attr: &mut Attr) -> io::Result<libc::c_long> {
    // SAFETY: the caller vouches for the attributes; size and address are of
    // the same object.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as u32,
            std::ptr::from_mut(attr),
            size_of::<Attr>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

fn found<T>(result: io::Result<libc::c_long>, value: impl FnOnce() -> T) -> io::Result<Option<T>> {
    match result {
        Ok(_) => Ok(Some(value())),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The value of `key`. `K` and `V` must be as large as the map's.
pub(crate) fn lookup<K: Shared, V: Shared>(map: BorrowedFd<'_>, key: &K) -> io::Result<Option<V>> {
    element(Command::MapLookupElem, map, key)
}

/// Removes `key` and gives its value, in one step.
pub(crate) fn take<K: Shared, V: Shared>(map: BorrowedFd<'_>, key: &K) -> io::Result<Option<V>> {
    element(Command::MapLookupAndDeleteElem, map, key)
}

fn element<K: Shared, V: Shared>(
    command: Command,
    map: BorrowedFd<'_>,
    key: &K,
) -> io::Result<Option<V>> {
    let mut value = MaybeUninit::<V>::zeroed();
    let mut attr = Element {
        map_fd: raw(map),
        _pad: 0,
        key: std::ptr::from_ref(key) as u64,
        value: value.as_mut_ptr() as u64,
        flags: 0,
    };
    // SAFETY: `Element` is the layout of both commands; key and value live
    // until the call returns and are as large as the map's (checked when the
    // map was opened).
    let result = unsafe { call(command, &mut attr) };
    // SAFETY: any bits are a valid `V` (`Shared`), and all were zeroed.
    found(result, || unsafe { value.assume_init() })
}

/// Writes `value` under `key`.
pub(crate) fn update<K: Shared, V: Shared>(
    map: BorrowedFd<'_>,
    key: &K,
    value: &V,
    flags: u64,
) -> io::Result<()> {
    let mut attr = Element {
        map_fd: raw(map),
        _pad: 0,
        key: std::ptr::from_ref(key) as u64,
        value: std::ptr::from_ref(value) as u64,
        flags,
    };
    // SAFETY: `Element` is the layout of the command; key and value live until
    // the call returns and are as large as the map's.
    unsafe { call(Command::MapUpdateElem, &mut attr) }.map(drop)
}

/// Where a batched look-up goes on; hash maps give a bucket, arrays an index.
pub(crate) type BatchToken = u32;

/// A page of a map: what was found, and where to go on (`None`: at the end).
pub(crate) type Page<K, V> = (Vec<(K, V)>, Option<BatchToken>);

/// Up to `max` entries from `from` on. `ENOSPC` says that `max` is less than
/// the entries of one hash bucket.
pub(crate) fn lookup_batch<K: Shared, V: Shared>(
    map: BorrowedFd<'_>,
    from: Option<BatchToken>,
    max: usize,
) -> io::Result<Page<K, V>> {
    #[repr(C)]
    struct Batch {
        in_batch: u64,
        out_batch: u64,
        keys: u64,
        values: u64,
        count: u32,
        map_fd: u32,
        elem_flags: u64,
        flags: u64,
    }
    let mut keys = Vec::<MaybeUninit<K>>::with_capacity(max);
    let mut values = Vec::<MaybeUninit<V>>::with_capacity(max);
    let mut next: BatchToken = 0;
    let mut attr = Batch {
        in_batch: from
            .as_ref()
            .map_or(0, |token| std::ptr::from_ref(token) as u64),
        out_batch: std::ptr::from_mut(&mut next) as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count: u32::try_from(max).unwrap_or(u32::MAX),
        map_fd: raw(map),
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: `Batch` is the layout of the command; both vectors have room for
    // `count` elements of the map's sizes, and the tokens are 4 bytes, which
    // is what hash maps and arrays use.
    let at_end = match unsafe { call(Command::MapLookupBatch, &mut attr) } {
        Ok(_) => false,
        // The last page; `count` says how many entries it still had.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
        Err(error) => return Err(error),
    };
    let count = (attr.count as usize).min(max);
    // SAFETY: the kernel filled the first `count` keys and values, and any
    // bits are a valid `K` and `V` (`Shared`).
    let entries = unsafe {
        keys.set_len(count);
        values.set_len(count);
        keys.iter()
            .zip(&values)
            .map(|(k, v)| (k.assume_init(), v.assume_init()))
            .collect()
    };
    Ok((entries, (!at_end).then_some(next)))
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor (with O_CLOEXEC) for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens what is pinned at `path`.
pub(crate) fn open_pinned(path: &Path) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct ObjGet {
        pathname: u64,
        bpf_fd: u32,
        file_flags: u32,
    }
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = ObjGet {
        pathname: path.as_ptr() as u64,
        bpf_fd: 0,
        file_flags: 0,
    };
    // SAFETY: `ObjGet` is the layout of the command; the path outlives it.
    owned(unsafe { call(Command::ObjGet, &mut attr) }?)
}

/// The programs of a TCX hook, in the order in which they run, by id.
/// `attach_type` is `BPF_TCX_INGRESS` or `BPF_TCX_EGRESS`. Unlike opening them,
/// this needs no CAP_SYS_ADMIN.
pub(crate) fn tcx_programs(ifindex: u32, attach_type: u32) -> io::Result<Vec<u32>> {
    /// What the kernel allows on a hook (`BPF_MPROG_MAX`).
    const MOST: usize = 64;
    #[repr(C)]
    struct Query {
        target_ifindex: u32,
        attach_type: u32,
        query_flags: u32,
        attach_flags: u32,
        prog_ids: u64,
        count: u32,
        _pad: u32,
        prog_attach_flags: u64,
        link_ids: u64,
        link_attach_flags: u64,
        revision: u64,
    }
    let mut ids = [0_u32; MOST];
    let mut attr = Query {
        target_ifindex: ifindex,
        attach_type,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr() as u64,
        count: u32::try_from(MOST).unwrap_or(0),
        _pad: 0,
        prog_attach_flags: 0,
        link_ids: 0,
        link_attach_flags: 0,
        revision: 0,
    };
    // SAFETY: `Query` is the layout of the command; there is room for `count` ids.
    unsafe { call(Command::ProgQuery, &mut attr) }?;
    let count = (attr.count as usize).min(MOST);
    Ok(ids[..count].to_vec())
}

/// Opens a loaded program, which needs CAP_SYS_ADMIN. `None`: it may not be opened.
pub(crate) fn program_if_allowed(id: u32) -> io::Result<Option<OwnedFd>> {
    match program_by_id(id) {
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => Ok(None),
        result => result.map(Some),
    }
}

/// Opens a loaded program.
fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct GetFdById {
        id: u32,
        next_id: u32,
        open_flags: u32,
    }
    let mut attr = GetFdById {
        id,
        next_id: 0,
        open_flags: 0,
    };
    // SAFETY: `GetFdById` is the layout of the command and holds no address.
    owned(unsafe { call(Command::ProgGetFdById, &mut attr) }?)
}

/// `struct bpf_link_info` as far as TCX links fill it.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct LinkInfo {
    /// `BPF_LINK_TYPE_*`.
    pub(crate) kind: u32,
    /// The link.
    pub(crate) id: u32,
    /// The attached program.
    pub(crate) program_id: u32,
    _pad: u32,
    /// The device; 0 when it is gone.
    pub(crate) ifindex: u32,
    /// `BPF_TCX_INGRESS` or `BPF_TCX_EGRESS`.
    pub(crate) attach_type: u32,
}

/// `BPF_LINK_TYPE_TCX`.
pub(crate) const LINK_TYPE_TCX: u32 = 11;

/// What a link is attached to.
pub(crate) fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    #[repr(C)]
    struct Info {
        bpf_fd: u32,
        info_len: u32,
        info: u64,
    }
    let mut info = LinkInfo::default();
    let mut attr = Info {
        bpf_fd: raw(link),
        info_len: u32::try_from(size_of::<LinkInfo>()).unwrap_or(0),
        info: std::ptr::from_mut(&mut info) as u64,
    };
    // SAFETY: `Info` is the layout of the command; the kernel writes at most
    // `info_len` bytes to `info`.
    unsafe { call(Command::ObjGetInfoByFd, &mut attr) }?;
    Ok(info)
}

/// Puts another program on a link, atomically for packets.
pub(crate) fn link_update(link: BorrowedFd<'_>, program: impl AsFd) -> io::Result<()> {
    #[repr(C)]
    struct Update {
        link_fd: u32,
        new_prog_fd: u32,
        flags: u32,
        old_prog_fd: u32,
    }
    let mut attr = Update {
        link_fd: raw(link),
        new_prog_fd: raw(program.as_fd()),
        flags: 0,
        old_prog_fd: 0,
    };
    // SAFETY: `Update` is the layout of the command and holds no address.
    unsafe { call(Command::LinkUpdate, &mut attr) }.map(drop)
}
