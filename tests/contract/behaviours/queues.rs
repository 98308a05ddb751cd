//! SQS: which queue, and what a dispatcher may do with a delivery.

use std::time::Duration;

use quittance_aws::adapters::Adapters;
use quittance_aws::queues::{QueueName, Received};
use quittance_core::message::Message;
use quittance_core::request::Right;
use quittance_engine::ports::Queues as _;

use super::samples::{id, store};

pub(crate) async fn a_message_reaches_the_queue_of_its_right_and_kind(adapters: &Adapters) {
    let queues = adapters.queues();
    let messages = [
        Message::Request { id: id(1) },
        Message::Task {
            id: id(1),
            store: store("crm"),
        },
    ];
    for right in Right::ALL {
        for message in &messages {
            assert_eq!(queues.send(right, message, 0).await, Ok(()));
        }
    }
    assert_eq!(
        queues.send(Right::Access, &Message::Statements, 0).await,
        Ok(())
    );
    for right in Right::ALL {
        for message in &messages {
            let received = receive_one(adapters, QueueName::of(right, message)).await;
            assert_eq!(Message::parse(&received.body).as_ref(), Ok(message));
        }
    }
    let received = receive_one(adapters, QueueName::Statements).await;
    assert_eq!(Message::parse(&received.body), Ok(Message::Statements));
}

pub(crate) async fn a_released_message_comes_again_and_is_counted(adapters: &Adapters) {
    let queue = QueueName::Statements;
    adapters
        .queues()
        .send(Right::Access, &Message::Statements, 0)
        .await
        .unwrap();
    let first = receive_one(adapters, queue).await;
    assert_eq!(first.receive_count, 1);
    assert_eq!(
        adapters
            .receiver()
            .release(queue, &first, Duration::ZERO)
            .await,
        Ok(())
    );
    let second = receive_one(adapters, queue).await;
    assert_eq!((second.receive_count, &second.body), (2, &first.body));
}

pub(crate) async fn a_deleted_message_does_not_come_again(adapters: &Adapters) {
    let queue = QueueName::Requests(Right::OptOut);
    let receiver = adapters.receiver();
    assert_eq!(receiver.waiting(queue).await, Ok(0));
    let message = Message::Request { id: id(1) };
    adapters
        .queues()
        .send(Right::OptOut, &message, 0)
        .await
        .unwrap();
    assert_eq!(receiver.waiting(queue).await, Ok(1));
    let delivery = receive_one(adapters, queue).await;
    assert_eq!(receiver.waiting(queue).await, Ok(1), "it is under way");
    assert_eq!(receiver.delete(queue, &delivery).await, Ok(()));
    assert_eq!(receiver.waiting(queue).await, Ok(0));
    assert_eq!(
        receiver.receive(queue, 10, Duration::ZERO).await,
        Ok(vec![])
    );
}

async fn receive_one(adapters: &Adapters, queue: QueueName) -> Received {
    let received = adapters
        .receiver()
        .receive(queue, 10, Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(received.len(), 1, "{queue}");
    received.into_iter().next().unwrap()
}
