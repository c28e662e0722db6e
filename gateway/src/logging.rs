//! The log: stderr, for people or as JSON. Whatever a field holds, it cannot break a line or move a
//! terminal's cursor.

use crate::shown::Escaping;
use std::fmt::Write;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{self, FormatFields};
use trunkline_config::Logging;

/// Starts the log of a process that serves. `RUST_LOG` goes before the configured level.
pub fn start(logging: &Logging) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&logging.level))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // It fails when a log was started before, and then there is one.
    let _ = if logging.json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.fmt_fields(fields()).try_init()
    };
}

/// Starts the log of a verb: only what goes wrong, unless `RUST_LOG` says otherwise.
pub fn start_for_a_verb() {
    start(&Logging { level: "warn".into(), json: false });
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info")))
}

/// `message key=value key=value`, every value escaped.
fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    format::debug_fn(|writer, field, value| {
        if field.name() != "message" {
            write!(writer, "{}=", field.name())?;
        }
        write!(Escaping(writer), "{value:?}")
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("lock").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_value_with_line_breaks_and_escapes_stays_on_one_line() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(true)
            .fmt_fields(fields())
            .with_writer(move || writer.clone())
            .finish();
        let evil = "a\r\n2026 ERROR all is lost\u{1b}[2J";
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("call", from = %evil);
            span.in_scope(|| tracing::warn!(to = %evil, quoted = evil, "refused: {evil}"));
        });
        let log = String::from_utf8(kept.0.lock().expect("lock").clone()).expect("text");
        assert_eq!(log.matches('\n').count(), 1, "{log:?}");
        assert!(!log.contains('\r') && !log.contains("\u{1b}[2J"), "{log:?}");
    }
}
