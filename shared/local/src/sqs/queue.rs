//! One queue: what is visible when, and how often a message was received.
//!
//! Invariant: a message is received by one caller until its visibility ends, and counts each receive once.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use data_encoding::HEXLOWER;
use s3s::crypto::{Checksum as _, Md5};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Refusal, strings, text};

/// A standard queue.
pub(super) struct Queue {
    pub(super) messages: VecDeque<Message>,
    pub(super) tags: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
    created_ms: i64,
}

impl Queue {
    pub(super) fn new(created_ms: i64) -> Self {
        let settings = DEFAULTS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            messages: VecDeque::new(),
            tags: BTreeMap::new(),
            settings: settings.collect(),
            created_ms,
        }
    }

    pub(super) fn set(&mut self, settings: BTreeMap<String, String>) -> Result<(), Refusal> {
        for (name, value) in settings {
            match name.as_str() {
                "FifoQueue"
                | "ContentBasedDeduplication"
                | "DeduplicationScope"
                | "FifoThroughputLimit" => {
                    return Err(Refusal::invalid("FIFO queues are not emulated"));
                }
                "RedrivePolicy" if value.is_empty() => drop(self.settings.remove(&name)),
                _ => drop(self.settings.insert(name, value)),
            }
        }
        Ok(())
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Settings and counts, as they are told.
    pub(super) fn attributes(&self, now: Instant) -> BTreeMap<String, String> {
        let mut told = self.settings.clone();
        let mut counts = [0_usize; 3];
        let [visible, in_flight, delayed] = &mut counts;
        for message in &self.messages {
            let count = match (message.visible_at <= now, message.receives) {
                (true, _) => &mut *visible,
                (false, 0) => &mut *delayed,
                (false, _) => &mut *in_flight,
            };
            *count += 1;
        }
        let names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ];
        told.extend(
            names
                .into_iter()
                .zip(counts)
                .map(|(name, count)| (name.to_owned(), count.to_string())),
        );
        let created = (self.created_ms / 1000).to_string();
        told.insert("CreatedTimestamp".to_owned(), created.clone());
        told.insert("LastModifiedTimestamp".to_owned(), created);
        told
    }

    pub(super) fn seconds(&self, name: &str) -> u64 {
        self.attribute(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }

    pub(super) fn send(
        &mut self,
        message: &Value,
        now_ms: i64,
        now: Instant,
    ) -> Result<Value, Refusal> {
        let body = text(message, "MessageBody");
        if body.is_empty() {
            return Err(Refusal::new(
                "MissingParameter",
                "MissingParameter",
                "a message has a body",
            ));
        }
        if body.len() > MOST_BODY_BYTES {
            return Err(Refusal::invalid(
                "One or more parameters are invalid. Reason: Message is too long.",
            ));
        }
        let delay = message.get("DelaySeconds").and_then(Value::as_u64);
        let delay = delay.unwrap_or_else(|| self.seconds("DelaySeconds"));
        if delay > MOST_DELAY_SECONDS {
            return Err(Refusal::invalid(
                "a message is delayed by at most 900 seconds",
            ));
        }
        let id = uuid(draw()?);
        let md5 = HEXLOWER.encode(&Md5::checksum(body.as_bytes()));
        self.messages.push_back(Message {
            id: id.clone(),
            body: body.to_owned(),
            md5: md5.clone(),
            attributes: message
                .get("MessageAttributes")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
            sent_ms: now_ms,
            first_received_ms: None,
            visible_at: now + Duration::from_secs(delay),
            receives: 0,
            handle: String::new(),
        });
        Ok(json!({ "MessageId": id, "MD5OfMessageBody": md5 }))
    }

    /// Takes visible messages and hides them.
    pub(super) fn receive(
        &mut self,
        wanted: &Wanted,
        now_ms: i64,
        now: Instant,
    ) -> Result<Taken, Refusal> {
        let retained_ms = i64::try_from(self.seconds("MessageRetentionPeriod"))
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        self.messages
            .retain(|message| now_ms.saturating_sub(message.sent_ms) < retained_ms);
        let default = Duration::from_secs(self.seconds("VisibilityTimeout"));
        let hidden_until = now + wanted.visibility.unwrap_or(default);
        let most_receives = self.redrive().map(|(_, most)| most);
        let mut taken = Taken {
            shown: Vec::new(),
            exhausted: Vec::new(),
            next_at: None,
        };
        let mut kept = VecDeque::with_capacity(self.messages.len());
        while let Some(mut message) = self.messages.pop_front() {
            if message.visible_at > now || taken.shown.len() == wanted.most {
                let soonest = taken
                    .next_at
                    .map_or(message.visible_at, |at| at.min(message.visible_at));
                taken.next_at = Some(soonest);
                kept.push_back(message);
            } else if most_receives.is_some_and(|most| message.receives >= most) {
                taken.exhausted.push(message);
            } else {
                message.receives += 1;
                message.first_received_ms.get_or_insert(now_ms);
                message.visible_at = hidden_until;
                message.handle = format!("{}#{}", message.id, HEXLOWER.encode(&draw()?));
                taken.shown.push(message.shown(wanted));
                kept.push_back(message);
            }
        }
        self.messages = kept;
        Ok(taken)
    }

    /// Deletes by the newest handle. An older one, or a second time, succeeds and does nothing.
    pub(super) fn delete(&mut self, request: &Value) -> Result<Value, Refusal> {
        let handle = valid_handle(request)?;
        self.messages.retain(|message| message.handle != handle);
        Ok(json!({}))
    }

    pub(super) fn change_visibility(
        &mut self,
        request: &Value,
        now: Instant,
    ) -> Result<Value, Refusal> {
        let handle = valid_handle(request)?;
        let seconds = request.get("VisibilityTimeout").and_then(Value::as_u64);
        let seconds = seconds.filter(|seconds| *seconds <= MOST_VISIBILITY_SECONDS);
        let seconds = seconds
            .ok_or_else(|| Refusal::invalid("a visibility timeout has 0 to 43200 seconds"))?;
        let in_flight = self
            .messages
            .iter_mut()
            .find(|m| m.handle == handle && m.visible_at > now);
        let message = in_flight.ok_or_else(|| {
            let code = "AWS.SimpleQueueService.MessageNotInflight";
            Refusal::new(
                code,
                "MessageNotInflight",
                "The specified message isn't in flight.",
            )
        })?;
        message.visible_at = now + Duration::from_secs(seconds);
        Ok(json!({}))
    }

    pub(super) fn dead_letter_queue(&self) -> Option<String> {
        self.redrive().map(|(name, _)| name)
    }

    /// The dead-letter queue's name and the most receives before it.
    fn redrive(&self) -> Option<(String, u64)> {
        let policy: Value = serde_json::from_str(self.attribute("RedrivePolicy")?).ok()?;
        let most = policy.get("maxReceiveCount")?;
        let most = most.as_u64().or_else(|| most.as_str()?.parse().ok())?;
        let name = text(&policy, "deadLetterTargetArn").rsplit(':').next()?;
        Some((name.to_owned(), most))
    }
}

/// A message and its state.
pub(super) struct Message {
    id: String,
    body: String,
    md5: String,
    attributes: Map<String, Value>,
    sent_ms: i64,
    first_received_ms: Option<i64>,
    visible_at: Instant,
    receives: u64,
    /// Of the last receive; none before it.
    handle: String,
}

impl Message {
    fn shown(&self, wanted: &Wanted) -> Value {
        let mut shown = json!({
            "MessageId": self.id,
            "ReceiptHandle": self.handle,
            "MD5OfBody": self.md5,
            "Body": self.body,
        });
        let system = [
            ("ApproximateReceiveCount", self.receives.to_string()),
            ("SentTimestamp", self.sent_ms.to_string()),
            (
                "ApproximateFirstReceiveTimestamp",
                self.first_received_ms.unwrap_or(self.sent_ms).to_string(),
            ),
            ("SenderId", super::ACCOUNT_ID.to_owned()),
        ];
        let system = system
            .into_iter()
            .filter(|(name, _)| wanted.system.asks(name));
        let system: Map<String, Value> = system
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        let custom = self
            .attributes
            .iter()
            .filter(|(name, _)| wanted.custom.asks(name));
        let custom: Map<String, Value> = custom
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if let Some(shown) = shown.as_object_mut() {
            if !system.is_empty() {
                shown.insert("Attributes".to_owned(), Value::Object(system));
            }
            if !custom.is_empty() {
                shown.insert("MessageAttributes".to_owned(), Value::Object(custom));
            }
        }
        shown
    }
}

/// What a receive asks for.
pub(super) struct Wanted {
    pub(super) wait: Option<Duration>,
    visibility: Option<Duration>,
    most: usize,
    system: Names,
    custom: Names,
}

impl Wanted {
    pub(super) fn parse(request: &Value) -> Result<Self, Refusal> {
        let number = |name: &str| request.get(name).and_then(Value::as_u64);
        let most = number("MaxNumberOfMessages").unwrap_or(1);
        if !(1..=10).contains(&most) {
            return Err(Refusal::invalid("1 to 10 messages are received at a time"));
        }
        let mut system = strings(request, "MessageSystemAttributeNames");
        system.extend(strings(request, "AttributeNames"));
        Ok(Self {
            wait: number("WaitTimeSeconds").map(Duration::from_secs),
            visibility: number("VisibilityTimeout").map(Duration::from_secs),
            most: usize::try_from(most).unwrap_or(1),
            system: Names::of(&system),
            custom: Names::of(&strings(request, "MessageAttributeNames")),
        })
    }
}

/// Names of attributes, where `All` and `prefix.*` mean many.
struct Names(Vec<String>);

impl Names {
    fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn asks(&self, name: &str) -> bool {
        self.0.iter().any(|asked| match asked.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => asked == name || asked == "All",
        })
    }
}

/// What a receive took out of a queue.
pub(super) struct Taken {
    pub(super) shown: Vec<Value>,
    pub(super) exhausted: Vec<Message>,
    pub(super) next_at: Option<Instant>,
}

fn valid_handle(request: &Value) -> Result<String, Refusal> {
    let handle = text(request, "ReceiptHandle");
    if handle.contains('#') {
        return Ok(handle.to_owned());
    }
    Err(Refusal::new(
        "ReceiptHandleIsInvalid",
        "ReceiptHandleIsInvalid",
        "The input receipt handle is invalid.",
    ))
}

fn draw() -> Result<[u8; 16], Refusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|_| Refusal::new("InternalError", "InternalError", "no randomness"))?;
    Ok(bytes)
}

/// Groups hexadecimal digits the way message ids are written.
fn uuid(bytes: [u8; 16]) -> String {
    let digits = HEXLOWER.encode(&bytes);
    let mut grouped = String::with_capacity(36);
    for (place, digit) in digits.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            grouped.push('-');
        }
        grouped.push(digit);
    }
    grouped
}

pub(super) const MOST_BODY_BYTES: usize = 1024 * 1024;
const MOST_DELAY_SECONDS: u64 = 900;
const MOST_VISIBILITY_SECONDS: u64 = 43_200;
const DEFAULTS: &[(&str, &str)] = &[
    ("DelaySeconds", "0"),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("VisibilityTimeout", "30"),
];
