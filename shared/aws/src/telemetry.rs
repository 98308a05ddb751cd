//! Log lines: a list of allowed fields, everything else is dropped.
//!
//! In the cloud a line is one JSON object on stdout, for people it is one line of text on stderr.
//! Field values of [`ALLOWED`] are ids, codes and numbers. Messages are fixed texts by convention; a
//! panic's message is never printed, only its place.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use quittance_engine::ports::Clock;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// For whom lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text on stderr.
    Human,
    /// JSON on stdout.
    Json,
}

/// The fields that may be logged.
pub const ALLOWED: [&str; 30] = [
    "attempt",
    "batch.size",
    "block.reason",
    "count",
    "duration_ms",
    "error.code",
    "event",
    "fault",
    "function",
    "invocation.id",
    "leaf.id",
    "log.size",
    "message",
    "message.id",
    "outcome",
    "panic.place",
    "part",
    "port",
    "proof",
    "queue",
    "receive.count",
    "request.id",
    "right",
    "round",
    "rows.error",
    "stage",
    "store.id",
    "task.stage",
    "trace.id",
    "version",
];

/// Fields of `lambda_runtime`'s span around an invocation, and what we call them.
const RUNTIME: [(&str, &str); 2] = [("requestId", "invocation.id"), ("xrayTraceId", "trace.id")];

/// Starts logging, once per process; later calls change nothing.
pub fn start(format: Format, level: Level, clock: Arc<dyn Clock>) {
    let filter = Targets::new().with_default(Level::WARN);
    let filter = OURS
        .iter()
        .fold(filter, |filter, target| filter.with_target(*target, level))
        .with_target(INVOCATIONS, Level::INFO);
    let lines = Lines {
        format,
        clock,
        write: emit,
    };
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic
                .location()
                .map(ToString::to_string)
                .unwrap_or_default();
            tracing::error!(panic.place = place, "panicked");
        }));
    }
}

/// The layer that writes lines.
struct Lines<W> {
    format: Format,
    clock: Arc<dyn Clock>,
    write: W,
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(Format, &str) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .iter()
            .rev()
        {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.0.extend(outer.0.clone());
            }
        }
        event.record(&mut fields);
        let meta = event.metadata();
        let at = self.clock.now();
        let line = match self.format {
            Format::Human => human(&at.to_string(), *meta.level(), &fields.0),
            Format::Json => json(&at.to_string(), *meta.level(), meta.target(), fields.0),
        };
        (self.write)(self.format, &line);
    }
}

/// The allowed fields of a span or an event.
#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<&'static str, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = RUNTIME
            .iter()
            .find(|(theirs, _)| *theirs == field.name())
            .map_or(field.name(), |(_, ours)| *ours);
        if ALLOWED.contains(&name) {
            self.0.insert(name, value.into());
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

fn json(at: &str, level: Level, target: &str, fields: BTreeMap<&'static str, Value>) -> String {
    let mut line = serde_json::Map::new();
    line.insert("timestamp".to_owned(), at.into());
    line.insert("level".to_owned(), level.as_str().into());
    line.insert("target".to_owned(), target.into());
    line.extend(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    Value::Object(line).to_string()
}

fn human(at: &str, level: Level, fields: &BTreeMap<&'static str, Value>) -> String {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let message = fields.get("message").map(text).unwrap_or_default();
    let mut line = format!("{at} {level:>5} {message}");
    for (name, value) in fields.iter().filter(|(name, _)| **name != "message") {
        line.extend([" ", name, "=", &text(value)]);
    }
    line
}

fn emit(format: Format, line: &str) {
    // A log line that cannot be written can be told to nobody.
    drop(match format {
        Format::Human => writeln!(std::io::stderr().lock(), "{line}"),
        Format::Json => writeln!(std::io::stdout().lock(), "{line}"),
    });
}

/// Whose lines are written at the level asked for; all others only from warnings on.
const OURS: [&str; 2] = ["dsr", "quittance"];
/// Whose span says which invocation and which trace a line belongs to.
const INVOCATIONS: &str = "lambda_runtime::layers::trace";

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::clock::SystemClock;

    fn lines_of(format: Format, act: impl FnOnce()) -> Vec<String> {
        let written: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&written);
        let write = move |_, line: &str| sink.lock().unwrap().push(line.to_owned());
        let lines = Lines {
            format,
            clock: Arc::new(SystemClock),
            write,
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), act);
        written.lock().unwrap().clone()
    }

    #[test]
    fn only_allowed_fields_leave_the_process() {
        let lines = lines_of(Format::Json, || {
            let span = tracing::info_span!("m", request.id = "ab12", email = "a@example.test");
            let _entered = span.enter();
            tracing::info!(attempt = 2, identifier = "a@example.test", "looked");
        });
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].contains("example.test"), "{}", lines[0]);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["request.id"], "ab12");
        assert_eq!(line["attempt"], 2);
        assert_eq!(line["message"], "looked");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_line_says_in_which_invocation_it_was_written() {
        let lines = lines_of(Format::Json, || {
            let span = tracing::info_span!("r", requestId = "8f-1", xrayTraceId = "1-5-7");
            let _entered = span.enter();
            tracing::info!("looked");
        });
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["invocation.id"], "8f-1");
        assert_eq!(line["trace.id"], "1-5-7");
    }

    #[test]
    fn people_read_one_line() {
        let lines = lines_of(Format::Human, || {
            tracing::warn!(store.id = "crm", "blocked");
        });
        assert!(
            lines[0].ends_with(" WARN blocked store.id=crm"),
            "{}",
            lines[0]
        );
    }

    #[test]
    fn the_list_is_sorted_and_has_no_doubles() {
        assert!(ALLOWED.is_sorted());
        assert!(ALLOWED.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
