//! SQS: standard queues in memory, in the JSON protocol.
//!
//! What a queue does with its messages is in [`queue`]. FIFO queues, message moves and the older query
//! protocol are not emulated. Invariant: a restart loses queues and messages alike; the caller makes the
//! queues again.

mod queue;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use s3s::Body;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::queue::{Queue, Wanted};
use crate::clock::WallClock;
use crate::fault::Failure;
use crate::front::{failure_response, json_response};
use crate::{ACCOUNT_ID, REGION};

/// The queues of one `LocalAws`.
pub(crate) struct Queues {
    by_name: Mutex<BTreeMap<String, Queue>>,
    arrived: Notify,
    clock: WallClock,
}

impl Queues {
    pub(crate) fn new(clock: WallClock) -> Self {
        Self {
            by_name: Mutex::default(),
            arrived: Notify::new(),
            clock,
        }
    }

    /// Answers one call; queue URLs are on `authority`, where the caller found us.
    pub(crate) async fn answer(
        &self,
        operation: &str,
        authority: &str,
        body: &Bytes,
    ) -> Response<Body> {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let answered = match operation {
            "ReceiveMessage" => self.receive(&request).await,
            _ => self.act(operation, authority, &request),
        };
        match answered {
            Ok(answer) => json_response(StatusCode::OK, answer.to_string()),
            Err(refusal) => refusal.response(),
        }
    }

    fn act(&self, operation: &str, authority: &str, request: &Value) -> Result<Value, Refusal> {
        let url =
            |name: &str| json!({ "QueueUrl": format!("http://{authority}/{ACCOUNT_ID}/{name}") });
        match operation {
            "CreateQueue" => self.create(request).map(|name| url(&name)),
            "GetQueueUrl" => {
                let name = text(request, "QueueName");
                self.with_named(name, |_| Ok(url(name)))
            }
            "ListQueues" => {
                let prefix = text(request, "QueueNamePrefix");
                let queues = self.lock();
                let names = queues.keys().filter(|name| name.starts_with(prefix));
                let urls: Vec<Value> = names
                    .filter_map(|name| url(name).get("QueueUrl").cloned())
                    .collect();
                Ok(json!({ "QueueUrls": urls }))
            }
            "DeleteQueue" => {
                let name = queue_name(request).to_owned();
                self.lock()
                    .remove(&name)
                    .map(|_| json!({}))
                    .ok_or_else(Refusal::no_queue)
            }
            "PurgeQueue" => self.with(request, |queue| {
                queue.messages.clear();
                Ok(json!({}))
            }),
            "GetQueueAttributes" => self.with(request, |queue| {
                let wanted = strings(request, "AttributeNames");
                let all = wanted.contains(&"All");
                let mut told = queue.attributes(Instant::now());
                told.insert("QueueArn".to_owned(), arn(queue_name(request)));
                told.retain(|name, _| all || wanted.contains(&name.as_str()));
                Ok(json!({ "Attributes": told }))
            }),
            "SetQueueAttributes" => self.with(request, |queue| {
                queue.set(string_map(request, "Attributes"))?;
                Ok(json!({}))
            }),
            "TagQueue" => self.with(request, |queue| {
                queue.tags.extend(string_map(request, "Tags"));
                Ok(json!({}))
            }),
            "UntagQueue" => self.with(request, |queue| {
                let gone = strings(request, "TagKeys");
                queue.tags.retain(|name, _| !gone.contains(&name.as_str()));
                Ok(json!({}))
            }),
            "ListQueueTags" => self.with(request, |queue| Ok(json!({ "Tags": queue.tags }))),
            "SendMessage" => self.send(request, request),
            "DeleteMessage" => self.with(request, |queue| queue.delete(request)),
            "ChangeMessageVisibility" => self.with(request, |queue| {
                queue.change_visibility(request, Instant::now())
            }),
            "SendMessageBatch" => self.batch(request, |entry| self.send(request, entry)),
            "DeleteMessageBatch" => self.batch(request, |entry| {
                self.with(request, |queue| queue.delete(entry))
            }),
            "ChangeMessageVisibilityBatch" => self.batch(request, |entry| {
                self.with(request, |queue| {
                    queue.change_visibility(entry, Instant::now())
                })
            }),
            _ => Err(Refusal::unknown(operation)),
        }
        .inspect(|_| self.arrived.notify_waiters())
    }

    /// Making a queue again finds it, unless other attributes are asked for.
    fn create(&self, request: &Value) -> Result<String, Refusal> {
        let name = text(request, "QueueName");
        let is_named = (1..=80).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !is_named {
            return Err(Refusal::invalid(
                "only names of standard queues are emulated",
            ));
        }
        let attributes = string_map(request, "Attributes");
        let mut queues = self.lock();
        if let Some(there) = queues.get(name) {
            if attributes
                .iter()
                .any(|(name, value)| there.attribute(name) != Some(value.as_str()))
            {
                return Err(Refusal::new(
                    "QueueNameExists",
                    "QueueAlreadyExists",
                    "A queue already exists with the same name and a different value for an attribute",
                ));
            }
            return Ok(name.to_owned());
        }
        let mut queue = Queue::new(self.clock.now_ms());
        queue.set(attributes)?;
        queue.tags.extend(string_map(request, "tags"));
        queues.insert(name.to_owned(), queue);
        Ok(name.to_owned())
    }

    fn send(&self, request: &Value, message: &Value) -> Result<Value, Refusal> {
        let now_ms = self.clock.now_ms();
        self.with(request, |queue| queue.send(message, now_ms, Instant::now()))
    }

    async fn receive(&self, request: &Value) -> Result<Value, Refusal> {
        let started = Instant::now();
        let wanted = Wanted::parse(request)?;
        let default_wait = self.with(request, |queue| {
            Ok(queue.seconds("ReceiveMessageWaitTimeSeconds"))
        })?;
        let deadline = started + wanted.wait.unwrap_or(Duration::from_secs(default_wait));
        loop {
            let arrived = self.arrived.notified();
            let (found, next_at) = self.take(request, &wanted)?;
            let now = Instant::now();
            if !found.is_empty() || now >= deadline {
                return Ok(if found.is_empty() {
                    json!({})
                } else {
                    json!({ "Messages": found })
                });
            }
            let until = next_at.map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Takes what is visible, and says when more becomes visible. What was received too often moves on.
    fn take(
        &self,
        request: &Value,
        wanted: &Wanted,
    ) -> Result<(Vec<Value>, Option<Instant>), Refusal> {
        let mut queues = self.lock();
        let queue = queues
            .get_mut(queue_name(request))
            .ok_or_else(Refusal::no_queue)?;
        let taken = queue.receive(wanted, self.clock.now_ms(), Instant::now())?;
        let dead_letters = queue.dead_letter_queue();
        if let Some(other) = dead_letters.and_then(|name| queues.get_mut(&name)) {
            other.messages.extend(taken.exhausted);
            self.arrived.notify_waiters();
        }
        Ok((taken.shown, taken.next_at))
    }

    /// Does each entry of a batch; one that fails does not stop the others.
    fn batch(
        &self,
        request: &Value,
        act: impl Fn(&Value) -> Result<Value, Refusal>,
    ) -> Result<Value, Refusal> {
        self.with(request, |_| Ok(json!({})))?;
        let entries = request
            .get("Entries")
            .and_then(Value::as_array)
            .map(Vec::as_slice);
        let entries = entries.unwrap_or_default();
        let refused =
            |name: &str| Refusal::new(&format!("AWS.SimpleQueueService.{name}"), name, name);
        if entries.is_empty() {
            return Err(refused("EmptyBatchRequest"));
        }
        if entries.len() > 10 {
            return Err(refused("TooManyEntriesInBatchRequest"));
        }
        let ids: std::collections::BTreeSet<&str> = entries.iter().map(|e| text(e, "Id")).collect();
        if ids.len() < entries.len() {
            return Err(refused("BatchEntryIdsNotDistinct"));
        }
        let size: usize = entries
            .iter()
            .map(|entry| text(entry, "MessageBody").len())
            .sum();
        if size > queue::MOST_BODY_BYTES {
            return Err(refused("BatchRequestTooLong"));
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = json!(text(entry, "Id"));
            match act(entry) {
                Ok(Value::Object(mut done)) => {
                    done.insert("Id".to_owned(), id);
                    successful.push(Value::Object(done));
                }
                Ok(_) => successful.push(json!({ "Id": id })),
                Err(refusal) => failed.push(json!({
                    "Id": id, "SenderFault": true, "Code": refusal.code, "Message": refusal.message,
                })),
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }

    fn with<T>(
        &self,
        request: &Value,
        act: impl FnOnce(&mut Queue) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.with_named(queue_name(request), act)
    }

    fn with_named<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Queue) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.lock()
            .get_mut(name)
            .ok_or_else(Refusal::no_queue)
            .and_then(act)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Queue>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a call is refused: the code of the older protocol, which clients still read, and the shape's name.
struct Refusal {
    code: String,
    shape: String,
    message: String,
    status: StatusCode,
}

impl Refusal {
    fn new(code: &str, shape: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            shape: shape.to_owned(),
            message: message.to_owned(),
            status: StatusCode::BAD_REQUEST,
        }
    }

    fn no_queue() -> Self {
        let message = "The specified queue does not exist.";
        Self::new(
            "AWS.SimpleQueueService.NonExistentQueue",
            "QueueDoesNotExist",
            message,
        )
    }

    fn invalid(message: &str) -> Self {
        Self::new(
            "InvalidParameterValue",
            "InvalidParameterValueException",
            message,
        )
    }

    fn unknown(operation: &str) -> Self {
        let message = format!("{operation} is not emulated");
        let refusal = Self::new("UnsupportedOperation", "UnsupportedOperation", &message);
        Self {
            status: StatusCode::NOT_IMPLEMENTED,
            ..refusal
        }
    }

    fn response(self) -> Response<Body> {
        let shape = format!("com.amazonaws.sqs#{}", self.shape);
        let mut response = failure_response(&Failure::new(self.status, shape, self.message));
        if let Ok(code) = http::HeaderValue::from_str(&format!("{};Sender", self.code)) {
            response.headers_mut().insert("x-amzn-query-error", code);
        }
        response
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}")
}

fn queue_name(request: &Value) -> &str {
    text(request, "QueueUrl")
        .rsplit('/')
        .next()
        .unwrap_or_default()
}

fn text<'a>(request: &'a Value, name: &str) -> &'a str {
    request
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn strings<'a>(request: &'a Value, name: &str) -> Vec<&'a str> {
    let list = request.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn string_map(request: &Value, name: &str) -> BTreeMap<String, String> {
    let map = request.get(name).and_then(Value::as_object);
    let pairs = map.into_iter().flat_map(Map::iter);
    pairs
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}
