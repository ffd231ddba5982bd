//! Interfaces that go and come back: the programs are put on them again.

pub(super) mod moved;

use super::{
    Loaded,
    attach::{self, Hook, PinnedLink, Side},
    interfaces::{self, NamedDomain, Selected},
    live_links,
    object::Object,
    stages,
    undo::{Step, Undo},
};
use crate::{
    error::{Error, Result},
    policy::sizes::Sizes,
    sys::links::{self, Device},
};

/// What was last said about an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Its packets are handled.
    #[default]
    Served,
    /// It doesn't exist.
    Gone,
    /// It can't be served, for this reason.
    Refused(String),
}

impl Loaded {
    /// Looks at the named interfaces: puts the programs on those that have come
    /// back, and tells the kernel side the present addresses. Gives the objects
    /// that were loaded for it, by their place in the list.
    pub(crate) fn follow_interfaces(&mut self) -> Result<Vec<usize>> {
        let devices = links::all()?;
        let pinned = attach::pinned_links(&self.pins)?;
        let before = self.objects.len();
        for at in 0..self.report.interfaces.len() {
            let known = self.report.interfaces[at].clone();
            let now = match devices.iter().find(|d| d.name == known.name) {
                None => State::Gone,
                Some(device) => match self.serve(at, device, &pinned, &devices) {
                    Ok(()) => State::Served,
                    Err(error) => State::Refused(error.whole()),
                },
            };
            if self.states[at] != now {
                tell(&known.name, &self.states[at], &now);
                self.states[at] = now;
            }
        }
        drop(pinned);
        self.refresh_addresses()?;
        Ok((before..self.objects.len()).collect())
    }

    /// Forgets what only sessions that are over have referred to.
    pub(crate) fn forget_interfaces(&self) -> Result<()> {
        moved::forget(&self.maps)
    }

    fn serve(
        &mut self,
        at: usize,
        device: &Device,
        pinned: &[PinnedLink],
        devices: &[Device],
    ) -> Result<()> {
        let known = &self.report.interfaces[at];
        if known.index == device.index && self.is_attached(device, pinned)? {
            return Ok(());
        }
        let mut new = interfaces::one(device, known.lan)?;
        let own = self
            .domains
            .iter()
            .filter(|d| d.interfaces.contains(&new.name));
        let own: Vec<_> = own
            .map(|domain| NamedDomain {
                name: domain.name.clone(),
                interfaces: vec![new.name.clone()],
            })
            .collect();
        interfaces::assign(std::slice::from_mut(&mut new), &own, devices)?;
        let mut all = self.report.interfaces.clone();
        all[at] = new.clone();
        interfaces::refuse_stacked(&all, devices)?;
        let count = self.reattach(known.index, &new)?;
        log::info!(
            "{}: attached again (interface {} was {}), {count} data connections follow",
            new.name,
            new.index,
            self.report.interfaces[at].index,
        );
        self.report.interfaces[at] = new;
        Ok(())
    }

    fn is_attached(&self, device: &Device, pinned: &[PinnedLink]) -> Result<bool> {
        for side in Side::BOTH {
            let is_there = match self.report.hook {
                Hook::Tcx => pinned.iter().any(|l| l.place == Some((device.index, side))),
                Hook::Clsact => attach::has_filter(device.index, side)?,
            };
            if !is_there {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn reattach(&mut self, old: u32, new: &Selected) -> Result<usize> {
        // Of the files, those of the old number are freed.
        let mut links = live_links(attach::pinned_links(&self.pins)?)?;
        let l2_len = new.l2_len;
        if !self.objects.iter().any(|object| object.l2_len == l2_len) {
            let (sizes, path) = (Sizes::of(&self.maps), Some(self.pins.path()));
            let mut object = Object::load(l2_len, path, &sizes, self.log_level)?;
            let mut undo = Undo::default();
            stages::enter(&mut object, &self.pins, &mut undo)?;
            undo.keep();
            self.objects.push(object);
        }
        let object = self
            .objects
            .iter_mut()
            .find(|object| object.l2_len == l2_len);
        let object = object.ok_or(Error::ObjectLacks("program for this link layer"))?;
        let mut undo = Undo::default();
        let former = self.maps.interfaces.get(&new.index)?;
        undo.push(Step::Interface(self.maps.clone(), new.index, former));
        for (index, entry) in interfaces::entries(std::slice::from_ref(new))? {
            self.maps.interfaces.set(&index, &entry)?;
        }
        let (hook, pins) = (self.report.hook, &self.pins);
        attach::attach(object, new, hook, &mut links, pins, &mut undo)?;
        undo.keep();
        // A device that was renamed, and whose name another one has now.
        for link in links {
            if link.place.is_some_and(|(index, _)| index == old) {
                link.detach()?;
            }
        }
        if old == new.index {
            return Ok(0);
        }
        moved::follow(&self.maps, old, new.index)
    }
}

fn tell(name: &str, before: &State, now: &State) {
    match (before, now) {
        (_, State::Gone) => log::warn!("{name} is gone: it is waited for"),
        (_, State::Refused(why)) => log::error!("{name} can't be served: {why}"),
        (_, State::Served) => log::info!("{name} is served again"),
    }
}
