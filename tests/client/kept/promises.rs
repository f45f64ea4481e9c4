//! What is promised of every kind that is kept, over any mount.

use std::time::Duration;

use lumoauth::error::{TransportError, TransportFault};

use super::service::{Reply, broken, hang, reply};
use super::table::{Ended, Kind, Late, Mount, Promise, Setup};

impl<M: Mount> Kind<M> {
    pub fn keeps(&self, promise: Promise) {
        match promise {
            Promise::T1 => self.a_crowd_fetches_once(),
            Promise::T2 => self.a_failure_is_shared(),
            Promise::T3 => self.a_stuck_key_stalls_no_other(),
            Promise::T4 => self.a_good_value_outlives_an_outage(),
            Promise::T5 => self.no_outage_lasts_longer_than_it_does(),
            Promise::T6 => self.no_lifetime_makes_it_loop(),
            Promise::T7 => self.no_clock_makes_it_live_longer(),
            Promise::T8 => self.a_refusal_is_met_once(),
            Promise::T9 => self.a_late_refusal_drops_nothing_newer(),
            Promise::T10 => self.the_value_is_the_one_asked_for(),
            Promise::T11 => {
                self.a_leader_short_of_time_harms_nobody();
                self.a_leader_that_is_lost_harms_nobody(false);
                if M::CANCELS {
                    self.a_leader_that_is_lost_harms_nobody(true);
                }
            }
        }
    }

    fn a_crowd_fetches_once(&self) {
        let (mut mount, clients) = self.ready(&Setup::default(), 1);
        let good = self.good;
        self.on(&mount, move |hit| good(hit, "3600").after(200));
        let crowd: Vec<usize> = (0..64).map(|_| mount.spawn((self.get)(&clients, 0))).collect();
        mount.finish();
        let values: Vec<String> =
            crowd.into_iter().map(|at| mount.ended(at).unwrap().result.expect(self.name)).collect();
        assert!(values.iter().all(|value| *value == values[0]), "{}: {values:?}", self.name);
        assert_eq!(self.fetched(&mount), 1, "{}", self.name);
    }

    fn a_failure_is_shared(&self) {
        let (mut mount, clients) = self.ready(&Setup::default(), 1);
        self.on(&mount, |_| reply(503, "{}").after(200));
        let crowd: Vec<usize> = (0..64).map(|_| mount.spawn((self.get)(&clients, 0))).collect();
        mount.finish();
        let ends: Vec<Ended> = crowd.into_iter().map(|at| mount.ended(at).unwrap()).collect();
        let first = &ends[0].result.as_ref().unwrap_err().text;
        for end in &ends {
            assert_eq!(&end.result.as_ref().unwrap_err().text, first, "{}", self.name);
            assert!(end.took <= Duration::from_millis(20_100), "{}: {:?}", self.name, end.took);
        }
        assert!((1..=3).contains(&self.fetched(&mount)), "{}: {}", self.name, self.fetched(&mount));
    }

    fn a_stuck_key_stalls_no_other(&self) {
        let (mut mount, clients) = self.ready(&Setup::default(), 3);
        mount.run((self.get)(&clients, 1)).expect(self.name);
        let (good, mut first) = (self.good, true);
        self.on(&mount, move |hit| if std::mem::take(&mut first) { hang() } else { good(hit, "3600") });
        let stuck = mount.spawn((self.get)(&clients, 0));
        self.until_sent(&mut mount);
        let follower = mount.spawn((self.get)(&clients, 0));
        mount.rest();
        let reads: Vec<usize> =
            (0..200).map(|_| mount.spawn((self.again.unwrap_or(self.get))(&clients, 1))).collect();
        let other = mount.spawn((self.get)(&clients, 2));
        mount.finish();
        for read in reads {
            let end = mount.ended(read).unwrap();
            assert!(end.result.is_ok(), "{}: {:?}", self.name, end.result);
            // What is held costs no time; what uses it may take a request's.
            let most = if self.again.is_some() { 100 } else { 0 };
            assert!(end.took <= Duration::from_millis(most), "{}: {:?}", self.name, end.took);
        }
        let other = mount.ended(other).unwrap();
        assert!(other.result.is_ok(), "{}: {:?}", self.name, other.result);
        assert!(other.took <= Duration::from_millis(100), "{}: {:?}", self.name, other.took);
        let (stuck, follower) = (mount.ended(stuck).unwrap(), mount.ended(follower).unwrap());
        let longer = Duration::from_secs(1);
        assert!(stuck.took >= longer && follower.took >= longer, "{}: {:?}", self.name, stuck.took);
    }

    fn a_good_value_outlives_an_outage(&self) {
        let (mut mount, clients) = self.ready(&Setup::default(), 1);
        let again = self.again.unwrap_or(self.get);
        mount.run((self.get)(&clients, 0)).expect(self.name);
        let held = mount.run(again(&clients, 0)).expect(self.name);
        mount.world().pass(Duration::from_secs(self.soft));
        self.on(&mount, |_| reply(503, "{}"));
        let begin = mount.world().time();
        for _ in 0..100 {
            assert_eq!(mount.run(again(&clients, 0)).expect(self.name), held, "{}", self.name);
            mount.world().pass(Duration::from_secs(1));
        }
        let passed = (mount.world().time() - begin).as_secs();
        // One attempt may ask at several places.
        let service = mount.world().service();
        let hits = service.hits(self.fetches);
        let attempts = hits.iter().filter(|hit| hit.path == hits[0].path).count() as u64;
        assert!((1..=passed / self.pause + 1).contains(&attempts), "{}: {attempts} in {passed} s", self.name);
    }

    fn no_outage_lasts_longer_than_it_does(&self) {
        let unsent: [fn() -> Reply; 4] = [
            || broken(TransportError::not_sent(TransportFault::Name, "no such name")),
            || broken(TransportError::not_sent(TransportFault::Connect, "refused")),
            || reply(500, "{}"),
            || reply(401, r#"{"error":"invalid_client"}"#),
        ];
        let perhaps: [fn() -> Reply; 3] = [
            || broken(TransportError::unknown(TransportFault::Broken, "reset")),
            || reply(200, "<!doctype html><title>Sign in</title>"),
            || reply(200, "{"),
        ];
        // A refresh token that may have been spent is never sent again, however long the outage.
        let spends = matches!(self.late, Late::Saving(_));
        for outage in unsent.into_iter().chain(perhaps.into_iter().filter(|_| !spends)) {
            let (mut mount, clients) = self.ready(&Setup::default(), 1);
            self.on(&mount, move |_| outage());
            for _ in 0..60 {
                assert!(mount.run((self.get)(&clients, 0)).is_err(), "{}", self.name);
                mount.world().pass(Duration::from_secs(60));
            }
            self.heal(&mount);
            let healed = mount.run((self.get)(&clients, 0));
            assert!(healed.is_ok(), "{}: {healed:?}", self.name);
        }
    }

    fn no_lifetime_makes_it_loop(&self) {
        let lifetimes = [
            "-1",
            "0",
            "1",
            "5",
            "10",
            "30",
            "2147483648",
            "9007199254740992",
            "18446744073709551615",
            "1e308",
            "3600.5",
            "\"3600\"",
            "null",
            "[]",
        ];
        for lifetime in lifetimes {
            let (mut mount, clients) = self.ready(&Setup::default(), 1);
            let good = self.good;
            self.on(&mount, move |hit| good(hit, lifetime));
            let begin = mount.world().time();
            for calls in 1..=30 {
                let before = self.fetched(&mount);
                let _ = mount.run((self.get)(&clients, 0));
                let (all, passed) = (self.fetched(&mount), (mount.world().time() - begin).as_secs());
                assert!(all - before <= 1, "{} {lifetime}: {} in call {calls}", self.name, all - before);
                assert!(all as u64 <= passed + 1, "{} {lifetime}: {all} in {passed} s", self.name);
                mount.world().pass(Duration::from_millis(100));
            }
            // The margins follow the lifetime: what lives for some seconds is used for some.
            if matches!(lifetime, "10" | "30") {
                assert_eq!(self.fetched(&mount), 1, "{} {lifetime}: margins", self.name);
            }
        }
    }

    /// What is over by either clock is over, and a clock that is set back or ahead and nothing else makes nobody wait.
    fn no_clock_makes_it_live_longer(&self) {
        const HOUR: u64 = 3600;
        const DAY: i64 = 86_400;
        let again = self.again.unwrap_or(self.get);
        // What the wall clock shows more or less than the monotonic one, and what both count.
        let over = [
            ("suspended", vec![(DAY + 3600, 0)]),
            ("set back while it ages", vec![(-DAY, 26 * HOUR)]),
            ("set back by a month while it ages", vec![(-30 * DAY, 26 * HOUR)]),
            ("set back, then suspended", vec![(-DAY, 60), (DAY + 3600, 60)]),
            ("set ahead and back while it ages", vec![(DAY, 0), (-2 * DAY, 26 * HOUR)]),
        ];
        for (name, steps) in over {
            let (mut mount, clients) = self.ready(&Setup::default(), 1);
            mount.run((self.get)(&clients, 0)).expect(self.name);
            for (wall, monotonic) in steps {
                mount.world().set_wall(wall);
                mount.world().pass(Duration::from_secs(monotonic));
            }
            let before = self.fetched(&mount);
            let began = mount.world().time();
            let new = mount.run(again(&clients, 0));
            match self.ends {
                true => {
                    // And it is not found to be good by whoever comes next.
                    let next = mount.run(again(&clients, 0));
                    assert!(new.is_err() && next.is_err(), "{}, {name}: {new:?}, {next:?}", self.name);
                }
                false => {
                    assert!(new.is_ok(), "{}, {name}: {new:?}", self.name);
                    assert!(self.fetched(&mount) > before, "{}, {name}: it is used after its end", self.name);
                }
            }
            let took = mount.world().time() - began;
            assert!(took <= Duration::from_secs(2), "{}, {name}: {took:?}", self.name);
        }
        for (name, wall) in [("set back", -DAY), ("set back by a minute", -60), ("set ahead", 5)] {
            let (mut mount, clients) = self.ready(&Setup::default(), 1);
            let held = mount.run((self.get)(&clients, 0)).expect(self.name);
            let before = self.fetched(&mount);
            mount.world().set_wall(wall);
            let mut values = Vec::new();
            for _ in 0..5 {
                let began = mount.world().time();
                values.push(mount.run(again(&clients, 0)).expect(self.name));
                assert!(mount.world().time() - began <= Duration::from_secs(1), "{}, {name}", self.name);
                mount.world().pass(Duration::from_secs(2));
            }
            // What a record has dated in the future is asked for once more, and what is held is used on.
            let fetched = self.fetched(&mount) - before;
            assert!(fetched <= 1, "{}, {name}: {fetched}", self.name);
            assert!(values.windows(2).all(|two| two[0] == two[1]), "{}, {name}: {values:?}", self.name);
            assert!(fetched == 1 || self.again.is_some() || values[0] == held, "{}, {name}", self.name);
        }
    }

    fn the_value_is_the_one_asked_for(&self) {
        const KEYS: u32 = 6;
        let (mut mount, clients) = self.ready(&Setup { most_kept: Some(2), ..Setup::default() }, KEYS);
        let mut random = 7_u64;
        let mut fetched = 0;
        for _ in 0..20 {
            let calls: Vec<(u32, usize)> = (0..16)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let key = u32::try_from((random >> 33) % u64::from(KEYS)).unwrap();
                    (key, mount.spawn((self.get)(&clients, key)))
                })
                .collect();
            mount.finish();
            for (key, at) in calls {
                let value = mount.ended(at).unwrap().result.expect(self.name);
                assert!(value.contains(&format!("k{key}")), "{}: {value} for {key}", self.name);
            }
            fetched = self.fetched(&mount);
        }
        let evicted =
            if self.again.is_none() && !matches!(self.late, Late::Saving(_)) { KEYS as usize } else { 0 };
        assert!(fetched > evicted, "{}: {fetched} fetches: nothing was pushed out", self.name);
    }
}
