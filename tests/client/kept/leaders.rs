//! Leaders that have little time, that panic, or that are taken away.

use std::time::Duration;

use super::service::{hang, lost, usual};
use super::table::{Kind, Late, Mount, Setup};

impl<M: Mount> Kind<M> {
    pub fn a_leader_short_of_time_harms_nobody(&self) {
        let (mut mount, clients) = self.ready(&Setup::default(), 1);
        let (good, mut first) = (self.good, !matches!(self.late, Late::Saving(_)));
        self.on(&mount, move |hit| if std::mem::take(&mut first) { hang() } else { good(hit, "3600") });
        let (leader, longest, fetches) = match self.late {
            Late::Short(call) => (call(&clients), 250, 2),
            Late::Asking(call) => (call(&clients), 10_100, 2),
            Late::Saving(call) => {
                mount.world().slow_saves(Duration::from_millis(200), false);
                (call(&clients), 250, 1)
            }
            Late::Behind(before) => {
                mount
                    .world()
                    .service()
                    .on(before, |hit| usual(hit).after(if hit.count == 1 { 4000 } else { 5 }));
                ((self.get)(&clients, 0), 8100, 2)
            }
        };
        let leader = mount.spawn(leader);
        if matches!(self.late, Late::Saving(_)) {
            mount.rest()
        } else {
            self.until_sent(&mut mount)
        }
        let followers: Vec<usize> = (0..8).map(|_| mount.spawn((self.get)(&clients, 0))).collect();
        mount.finish();
        let leader = mount.ended(leader).unwrap();
        assert!(
            leader.result.as_ref().is_err_and(|error| error.is_timeout),
            "{}: {:?}",
            self.name,
            leader.result
        );
        assert!(leader.took <= Duration::from_millis(longest), "{}: {:?}", self.name, leader.took);
        for follower in followers {
            let end = mount.ended(follower).unwrap();
            assert!(end.result.is_ok(), "{}: {:?}", self.name, end.result);
        }
        assert_eq!(self.fetched(&mount), fetches, "{}", self.name);
    }

    /// It panics, or it is taken away.
    pub fn a_leader_that_is_lost_harms_nobody(&self, cancelled: bool) {
        let (mut mount, clients) = self.ready(&Setup::default(), 1);
        let saving = matches!(self.late, Late::Saving(_));
        let (good, mut first) = (self.good, !saving);
        self.on(&mount, move |hit| match std::mem::take(&mut first) {
            true if cancelled => hang(),
            true => lost(),
            false => good(hit, "3600"),
        });
        if saving {
            mount.world().slow_saves(Duration::from_millis(200), !cancelled);
        }
        let leader = mount.spawn((self.get)(&clients, 0));
        if saving {
            mount.rest()
        } else {
            self.until_sent(&mut mount)
        }
        let followers: Vec<usize> = (0..8).map(|_| mount.spawn((self.get)(&clients, 0))).collect();
        mount.rest();
        if cancelled {
            mount.cancel(leader);
        }
        mount.finish();
        assert!(mount.ended(leader).is_none(), "{}: it was lost", self.name);
        for follower in followers {
            let end = mount.ended(follower).unwrap();
            assert!(end.result.is_ok(), "{}: {:?}", self.name, end.result);
            assert!(end.took <= Duration::from_secs(2), "{}: {:?}", self.name, end.took);
        }
        assert_eq!(self.fetched(&mount), if saving { 1 } else { 2 }, "{}", self.name);
    }
}
