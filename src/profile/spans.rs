//! Stretches of time of which something is known.

use crate::time::Timestamp;

/// The most stretches that are kept apart; more of them grow together.
const MOST: usize = 32;
/// Times that are no further apart than this belong together, in milliseconds.
const NEAR: u64 = 300_000;

/// A few stretches of time, sorted and apart from each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans(Vec<(u64, u64)>);

impl Spans {
    /// True for a time within a stretch.
    pub(super) fn contain(&self, time: Timestamp) -> bool {
        let time = time.unix_millis();
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&time))
    }

    pub(super) fn add(&mut self, time: Timestamp) {
        self.join(time.unix_millis(), time.unix_millis());
    }

    pub(super) fn absorb(&mut self, others: Spans) {
        others.0.into_iter().for_each(|(from, to)| self.join(from, to));
    }

    fn join(&mut self, mut from: u64, mut to: u64) {
        self.0.retain(|(start, end)| {
            let apart = *start > to.saturating_add(NEAR) || from > end.saturating_add(NEAR);
            if !apart {
                (from, to) = (from.min(*start), to.max(*end));
            }
            apart
        });
        let at = self.0.partition_point(|(start, _)| *start < from);
        self.0.insert(at, (from, to));
        if self.0.len() > MOST {
            // The two that are nearest to each other become one: more is refused, never less.
            let gap = |pair: &[(u64, u64)]| match pair {
                [(_, end), (start, _)] => start.saturating_sub(*end),
                _ => u64::MAX,
            };
            let nearest = self.0.windows(2).enumerate().min_by_key(|(_, pair)| gap(pair)).map(|(at, _)| at);
            if let Some(at) = nearest {
                let (_, to) = self.0.remove(at.saturating_add(1));
                if let Some(first) = self.0.get_mut(at) {
                    first.1 = to;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_grows_together_and_the_rest_stays_apart() {
        let at = Timestamp::from_unix;
        let mut spans = Spans::default();
        for second in 1000..2000 {
            spans.add(at(second));
        }
        spans.add(at(90_000));
        assert_eq!(spans.0.len(), 2);
        assert!(spans.contain(at(1500)) && spans.contain(at(90_000)));
        assert!(!spans.contain(at(999)) && !spans.contain(at(2000)) && !spans.contain(at(50_000)));
        let apart = |first: u64, second: u64| {
            let mut spans = Spans::default();
            for millis in [first, second] {
                spans.add(Timestamp::from_unix_millis(millis));
            }
            (spans.0.len(), spans.contain(Timestamp::from_unix_millis(first.midpoint(second))))
        };
        // As near as they may be to belong together, and one thousandth of a second further apart, in either order.
        for (near, far) in [(1_000_000, 1_300_000), (1_300_000, 1_000_000)] {
            assert_eq!(apart(near, far), (1, true));
            let (near, far) = if near < far { (near, far + 1) } else { (near + 1, far) };
            assert_eq!(apart(near, far), (2, false));
        }
        for day in 0..1000 {
            spans.add(at(1_000_000 + day * 86_400));
        }
        assert_eq!(spans.0.len(), MOST);
        assert!((0..1000).all(|day| spans.contain(at(1_000_000 + day * 86_400))));
    }

    #[test]
    fn of_too_many_the_nearest_two_grow_together_and_no_others() {
        let at = Timestamp::from_unix;
        for nearest in [0, 7, 31] {
            let mut spans = Spans::default();
            // The gaps before and behind are longer, and there are as many as are kept apart.
            let second = |number: u64| number * 10_000 - if number > nearest { 2_000 } else { 0 };
            for number in 0..=31 {
                spans.add(at(second(number)));
            }
            let last = second(31) + 8_000 + if nearest == 31 { 0 } else { 2_000 };
            assert!(spans.0.len() == MOST && !spans.contain(at(last)));
            spans.add(at(last));
            assert_eq!(spans.0.len(), MOST);
            let between = |number: u64| {
                let end = if number == 31 { last } else { second(number + 1) };
                spans.contain(at(second(number).midpoint(end)))
            };
            let grown: Vec<u64> = (0..=31).filter(|number| between(*number)).collect();
            assert_eq!(grown, [nearest]);
            assert!((0..=31).all(|number| spans.contain(at(second(number)))) && spans.contain(at(last)));
        }
    }

    #[test]
    fn what_others_know_is_known_too() {
        let at = Timestamp::from_unix;
        let (mut own, mut other) = (Spans::default(), Spans::default());
        own.add(at(1_000));
        other.add(at(1_200));
        other.add(at(50_000));
        own.absorb(other);
        assert_eq!(own.0.len(), 2);
        assert!(own.contain(at(1_100)) && own.contain(at(50_000)) && !own.contain(at(1_201)));
    }
}
