//! Looks for secrets in texts, in every coat, and in all that is logged.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use lumoauth::Error;
use std::collections::HashSet;
use std::sync::{Mutex, OnceLock};

/// The shortest piece of a secret that counts as one.
const PIECE: usize = 12;

/// Secrets, and every piece of every form of theirs.
pub struct Canaries {
    pieces: HashSet<Vec<u8>>,
}

impl Canaries {
    /// For these secrets.
    pub fn new(secrets: &[&str]) -> Self {
        let mut pieces = HashSet::new();
        for secret in secrets {
            let bytes = secret.as_bytes();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let percent: String = form_urlencoded::byte_serialize(bytes).collect();
            let every: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
            let mut forms = vec![
                secret.to_string(),
                hex.to_uppercase(),
                hex,
                lower(&percent),
                percent,
                lower(&every),
                every,
            ];
            for offset in 0..3 {
                // Only the characters that the secret alone decides.
                let from = offset..bytes.len() - (bytes.len() - offset) % 3;
                forms.push(STANDARD_NO_PAD.encode(&bytes[from.clone()]));
                forms.push(URL_SAFE_NO_PAD.encode(&bytes[from]));
            }
            for form in forms {
                let reversed: Vec<u8> = form.bytes().rev().collect();
                for text in [form.into_bytes(), reversed] {
                    pieces.extend(text.windows(PIECE).map(<[u8]>::to_vec));
                }
            }
        }
        Canaries { pieces }
    }

    /// A piece of a secret in this text, with some of what is around it.
    pub fn find(&self, text: &str) -> Option<String> {
        let bytes = text.as_bytes();
        let at = bytes.windows(PIECE).position(|window| self.pieces.contains(window))?;
        let around = &bytes[at.saturating_sub(30)..(at + 40).min(bytes.len())];
        Some(String::from_utf8_lossy(around).into_owned())
    }
}

/// The same with the hexadecimal digits of its escapes in small letters.
fn lower(percent: &str) -> String {
    let mut pieces = percent.split('%');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        let (escape, rest) = piece.split_at(piece.len().min(2));
        format!("{text}%{}{rest}", escape.to_lowercase())
    })
}

/// Everything that an error says about itself: in every format, with all that caused it.
pub fn texts(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}\n{}\n", error.advice());
    if let Some(api) = error.as_api() {
        text.push_str(&format!(
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            api.code(),
            api.description(),
            api.uri(),
            api.details().map(ToString::to_string),
            api.required_scopes(),
            api.granted_scopes()
        ));
    }
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!("\n{error}\n{error:?}\n{error:#?}"));
        source = error.source();
    }
    text
}

/// Keeps every record that is logged in this process.
pub struct Log {
    records: Mutex<Vec<(String, String)>>,
}

/// What was found in the log.
pub struct Counts {
    pub ours: usize,
    pub others: usize,
    pub ureq: usize,
    pub ureq_hits: usize,
    /// Those above TRACE.
    pub ureq_hits_at_debug: Vec<String>,
    pub hits: Vec<String>,
}

impl Log {
    /// Installs it, once.
    pub fn install() -> &'static Log {
        static LOG: OnceLock<Log> = OnceLock::new();
        let log = LOG.get_or_init(|| Log { records: Mutex::default() });
        if log::set_logger(log).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        log
    }

    /// Whether something was logged under a target that begins like this.
    #[cfg(feature = "reqwest")]
    pub fn heard(&self, target: &str) -> bool {
        self.records.lock().unwrap().iter().any(|(of, _)| of.starts_with(target))
    }

    /// Every record that holds this word, with its target.
    #[cfg(feature = "reqwest")]
    pub fn told(&self, word: &str) -> Vec<String> {
        let records = self.records.lock().unwrap();
        records
            .iter()
            .filter(|(_, text)| text.contains(word))
            .map(|(of, text)| format!("{of} {text}"))
            .collect()
    }

    /// Looks for secrets in all that was logged so far. The records of ureq are counted on their own.
    pub fn find(&self, canaries: &Canaries) -> Counts {
        let mut counts = Counts {
            ours: 0,
            others: 0,
            ureq: 0,
            ureq_hits: 0,
            ureq_hits_at_debug: Vec::new(),
            hits: Vec::new(),
        };
        for (target, text) in self.records.lock().unwrap().iter() {
            let hit = canaries.find(text);
            if target.starts_with("ureq") {
                counts.ureq += 1;
                counts.ureq_hits += usize::from(hit.is_some());
                counts.ureq_hits_at_debug.extend(hit.filter(|_| !text.ends_with(" TRACE")));
                continue;
            }
            let count = if target.starts_with("lumoauth") { &mut counts.ours } else { &mut counts.others };
            *count += 1;
            counts.hits.extend(hit.map(|hit| format!("{target}: {hit}")));
        }
        counts
    }
}

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = format!("{} {}", record.args(), record.level());
        self.records.lock().unwrap().push((record.target().to_owned(), text));
    }

    fn flush(&self) {}
}
