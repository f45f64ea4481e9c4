//! Tokens that are refused: replaced once, and never a newer one.

use std::time::Duration;

use super::service::usual;
use super::table::{Kind, Mount, Setup, Used};

impl<M: Mount> Kind<M> {
    pub fn a_refusal_is_met_once(&self) {
        assert!(!self.used.is_empty(), "{}: a token is used", self.name);
        self.used.iter().for_each(|used| self.is_met_once(used));
    }

    fn is_met_once(&self, used: &Used<M>) {
        let refuse = |mount: &M| {
            let refuse = used.refuse;
            mount.world().service().on(used.uses, move |_| refuse());
        };
        let uses = |mount: &M| mount.world().service().hits(used.uses).len();
        let (mut mount, clients) = self.ready(&Setup::default(), 1);
        mount.run((used.hold.unwrap_or(self.get))(&clients, 0)).expect(self.name);
        self.heal(&mount);
        refuse(&mount);
        let begin = mount.world().time();
        let _ = mount.run((used.call)(&clients, 0, 1));
        assert_eq!((uses(&mount), self.fetched(&mount)), (used.most, 1), "{}: the first call", self.name);
        while mount.world().time() - begin < Duration::from_millis(4900) {
            refuse(&mount);
            self.heal(&mount);
            let _ = mount.run((used.call)(&clients, 0, 1));
            assert!(uses(&mount) <= 1, "{}: {} uses", self.name, uses(&mount));
            assert_eq!(self.fetched(&mount), 0, "{}", self.name);
            mount.world().pass(Duration::from_millis(100));
        }
        // It recovers as soon as the service does.
        mount.world().pass(Duration::from_secs(60));
        mount.world().service().on(used.uses, usual);
        self.heal(&mount);
        let healed = mount.run((used.call)(&clients, 0, 1));
        assert!(healed.is_ok(), "{}: {healed:?}", self.name);

        let (mut mount, clients) = self.ready(&Setup::default(), 1);
        mount.run((used.hold.unwrap_or(self.get))(&clients, 0)).expect(self.name);
        self.heal(&mount);
        refuse(&mount);
        for _ in 0..64 {
            mount.spawn((used.call)(&clients, 0, 1));
        }
        mount.finish();
        assert_eq!(self.fetched(&mount), 1, "{}: 64 callers are refused", self.name);
    }

    pub fn a_late_refusal_drops_nothing_newer(&self) {
        assert!(!self.used.is_empty(), "{}: a token is used", self.name);
        self.used.iter().for_each(|used| self.drops_nothing_newer(used));
    }

    fn drops_nothing_newer(&self, used: &Used<M>) {
        let (mut mount, clients) =
            self.ready(&Setup { patience: Some(Duration::from_secs(100)), ..Setup::default() }, 2);
        mount.run((used.hold.unwrap_or(self.get))(&clients, 0)).expect(self.name);
        mount.run((used.hold.unwrap_or(self.get))(&clients, 1)).expect(self.name);
        // The first answer comes when the pace of refusals does not protect anybody any more.
        let (token, refuse) = (used.token, used.refuse);
        let (mut revoked, mut late) = (None::<String>, true);
        mount.world().service().on(used.uses, move |hit| {
            let own = token(hit);
            if revoked.get_or_insert_with(|| own.clone()) != &own {
                return usual(hit);
            }
            refuse().after(if std::mem::take(&mut late) { 7000 } else { 10 })
        });
        self.heal(&mount);
        let first = mount.spawn((used.call)(&clients, 0, 1));
        mount.rest();
        let second = mount.spawn((used.call)(&clients, 0, 2));
        mount.finish();
        for at in [first, second] {
            let end = mount.ended(at).unwrap();
            assert!(end.result.is_ok(), "{}: {:?}", self.name, end.result);
            assert_eq!(end.took >= Duration::from_secs(7), at == first, "{}: {:?}", self.name, end.took);
        }
        assert_eq!(self.fetched(&mount), 1, "{}: one was refused, and one is newer", self.name);
        for key in [0, 1] {
            mount.run((used.call)(&clients, key, 3)).expect(self.name);
        }
        assert_eq!(self.fetched(&mount), 1, "{}: nobody else's is dropped", self.name);
    }
}
