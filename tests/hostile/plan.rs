//! Fault plans that a seed decides, and the generator under them.

use super::reply::{End, Reply};
use super::request::Recorded;
use super::script::{Script, script};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A small deterministic random generator (SplitMix64); not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose every number the seed decides.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if there is none.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n.max(1) as u64;
        usize::try_from(self.next_u64() % n).unwrap_or_default()
    }
}

/// A fault of a plan; places in the reply are taken modulo its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No byte of a reply, then a FIN; the script is not asked.
    HangUp,
    /// No byte of a reply, then a RST; the script is not asked.
    Reset,
    /// The script's reply up to a byte, then a FIN.
    CutFin(usize),
    /// The script's reply up to a byte, then a RST.
    CutReset(usize),
    /// The script's reply with this many bytes from this place on sent twice.
    Duplicate(usize, usize),
    /// The script's reply with a Content-Length off by this much.
    WrongLength(i64),
    /// This many interim responses before the script's reply.
    Interim(usize),
    /// The script's reply in a chunk whose size is no number.
    BadChunk,
    /// A bare status with a JSON error (3xx: with a Location); the script is not asked.
    Status(u16),
    /// A status with an HTML page; the script is not asked.
    Html(u16),
    /// The script's reply, well framed, with its body cut short at a byte.
    TruncatedBody(usize),
    /// The script's reply up to a byte, then silence (only if the plan allows stalls).
    Stall(usize),
}

const STATUSES: [u16; 16] = [301, 302, 307, 308, 400, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504];

impl Fault {
    fn pick(rng: &mut Rng, stalls: bool) -> Self {
        match rng.below(if stalls { 12 } else { 11 }) {
            0 => Self::HangUp,
            1 => Self::Reset,
            2 => Self::CutFin(rng.below(1 << 20)),
            3 => Self::CutReset(rng.below(1 << 20)),
            4 => Self::Duplicate(rng.below(1 << 20), 1 + rng.below(40)),
            5 => {
                let off = i64::from(rng.below(64) as u8) + 1;
                Self::WrongLength(if rng.below(2) == 0 { off } else { -off })
            }
            6 => Self::Interim(1 + rng.below(500)),
            7 => Self::BadChunk,
            8 => Self::Status(STATUSES[rng.below(STATUSES.len())]),
            9 => Self::Html([200, 403, 502][rng.below(3)]),
            10 => Self::TruncatedBody(rng.below(1 << 20)),
            _ => Self::Stall(rng.below(1 << 20)),
        }
    }

    /// Whether the script is asked, so that the server has done what the request wanted.
    pub fn asks_script(self) -> bool {
        !matches!(self, Self::HangUp | Self::Reset | Self::Status(_) | Self::Html(_))
    }

    fn apply(self, script: impl FnOnce() -> Reply) -> Reply {
        if !self.asks_script() {
            return self.answer();
        }
        let mut reply = script();
        let len = reply.bytes().len().max(1);
        match self {
            Self::CutFin(k) => reply.cut_at(k % len),
            Self::CutReset(k) => reply.reset_at(k % len),
            Self::Stall(k) => reply.stall_at(k % len),
            Self::Duplicate(at, n) => reply.duplicate(at % len..at % len + n),
            Self::WrongLength(delta) => reply.length_off_by(delta),
            Self::Interim(n) => reply.interim(103, n),
            Self::BadChunk => reply.bad_chunk_size(),
            Self::TruncatedBody(k) => {
                let len = reply.body.len().max(1);
                reply.body.truncate(k % len);
                reply
            }
            Self::HangUp | Self::Reset | Self::Status(_) | Self::Html(_) => reply,
        }
    }

    fn answer(self) -> Reply {
        match self {
            Self::Reset => Reply::reset(),
            Self::Html(status) => Reply::html(status, "<html><body>not your server</body></html>"),
            Self::Status(status @ 300..=399) => Reply::new(status).header("Location", "/elsewhere"),
            Self::Status(status) => Reply::json(status, r#"{"error":"injected_fault"}"#),
            _ => Reply::raw("").then(End::Fin),
        }
    }
}

/// A fault plan: which request gets which fault is decided by the seed alone.
pub struct Plan {
    inner: Arc<Inner>,
}

struct Inner {
    seed: u64,
    percent: u8,
    stalls: bool,
    next: AtomicUsize,
    injected: Mutex<Vec<(usize, Fault)>>,
}

impl Plan {
    /// A plan with a fault for every fourth request or so, and without stalls.
    pub fn seeded(seed: u64) -> Self {
        Self::with(seed, 25, false)
    }

    /// A plan with faults for this share of requests (in percent), with or without stalls.
    pub fn with(seed: u64, percent: u8, stalls: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                seed,
                percent,
                stalls,
                next: AtomicUsize::new(0),
                injected: Mutex::default(),
            }),
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.inner.seed
    }

    /// The fault for the i-th request that the plan gets, counted from 0.
    pub fn fault(&self, i: usize) -> Option<Fault> {
        self.inner.fault(i)
    }

    /// The faults put in so far, each with the number of its request.
    pub fn injected(&self) -> Vec<(usize, Fault)> {
        let injected = self.inner.injected.lock();
        injected.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The good script with the plan's faults put in.
    pub fn over(&self, good: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Script {
        self.over_noting(good, |_, _| ())
    }

    /// The same; every request is noted with the fault it got, before it is answered.
    pub fn over_noting(
        &self,
        good: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
        note: impl Fn(&Recorded, Option<Fault>) + Send + Sync + 'static,
    ) -> Script {
        let inner = Arc::clone(&self.inner);
        script(move |request| {
            let i = inner.next.fetch_add(1, Ordering::SeqCst);
            let fault = inner.fault(i);
            note(request, fault);
            let Some(fault) = fault else {
                return good(request);
            };
            let injected = inner.injected.lock();
            injected.unwrap_or_else(PoisonError::into_inner).push((i, fault));
            fault.apply(|| good(request))
        })
    }
}

impl Inner {
    fn fault(&self, i: usize) -> Option<Fault> {
        let mut seeds = Rng::new(self.seed);
        let mut rng = Rng::new(seeds.next_u64() ^ (i as u64).wrapping_mul(0xd605_bbb5_8c8a_bc03));
        (rng.below(100) < usize::from(self.percent)).then(|| Fault::pick(&mut rng, self.stalls))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { seed, percent, stalls, .. } = &*self.inner;
        write!(
            f,
            "fault plan: seed {seed}, {percent}% faults, stalls {stalls}, injected {:?}",
            self.injected()
        )
    }
}

/// A plan dropped by a failing test prints itself, so that the failure can be had again.
impl Drop for Plan {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{self}");
        }
    }
}
