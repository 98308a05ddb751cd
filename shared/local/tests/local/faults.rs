//! Faults on demand.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::primitives::ByteStream;
use quittance_local::{Call, Failure, Fault, Service};

use crate::dynamodb::{TABLE, keyed, table};
use crate::s3_objects::{BUCKET, bucket, put, text};
use crate::{World, code};

fn put_object(
    world: &World,
    body: &'static str,
) -> aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder {
    world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(ByteStream::from_static(body.as_bytes()))
}

#[tokio::test]
async fn a_refused_call_is_not_executed() {
    let world = World::new().await;
    bucket(&world, None).await;
    put(&world, "k", "before").await;
    world.aws.faults().once(
        Service::S3,
        "PutObject",
        Fault::Refuse(Failure::access_denied(Service::S3)),
    );
    assert_eq!(
        code(put_object(&world, "after").send().await),
        "AccessDenied"
    );
    assert_eq!(text(&world, "k").await, "before");
    world.aws.faults().once(
        Service::S3,
        "PutObject",
        Fault::Refuse(Failure::throttled(Service::S3)),
    );
    assert_eq!(code(put_object(&world, "after").send().await), "SlowDown");
    put_object(&world, "after").send().await.unwrap();
    assert_eq!(text(&world, "k").await, "after");
}

#[tokio::test]
async fn a_call_can_succeed_and_be_reported_failed() {
    let world = World::new().await;
    bucket(&world, None).await;
    let failure = Fault::ReportFailure(Failure::internal(Service::S3));
    world.aws.faults().once(Service::S3, "PutObject", failure);
    assert_eq!(
        code(put_object(&world, "there").send().await),
        "InternalError"
    );
    assert_eq!(text(&world, "k").await, "there");
}

#[tokio::test]
async fn a_connection_can_be_dropped_before_and_after() {
    let world = World::new().await;
    bucket(&world, None).await;
    put(&world, "k", "0").await;
    world
        .aws
        .faults()
        .once(Service::S3, "PutObject", Fault::DropBefore);
    assert!(
        put_object(&world, "1")
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .is_none()
    );
    assert_eq!(text(&world, "k").await, "0");
    world
        .aws
        .faults()
        .once(Service::S3, "PutObject", Fault::DropAfter);
    assert!(
        put_object(&world, "2")
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .is_none()
    );
    assert_eq!(text(&world, "k").await, "2");
}

#[tokio::test]
async fn an_answer_can_be_cut_short() {
    let world = World::new().await;
    bucket(&world, None).await;
    put(&world, "k", "0123456789").await;
    world.aws.faults().once(
        Service::S3,
        "GetObject",
        Fault::CutAnswer { after_bytes: 4 },
    );
    let got = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert!(
        got.body.collect().await.is_err(),
        "the body should end too early"
    );
    assert_eq!(text(&world, "k").await, "0123456789");
}

#[tokio::test]
async fn dynamodb_calls_fail_in_the_words_of_dynamodb() {
    let world = World::new().await;
    table(&world).await;
    let put = || {
        world
            .dynamodb
            .put_item()
            .table_name(TABLE)
            .set_item(Some(keyed("a", "b")))
            .send()
    };
    let get = || {
        world
            .dynamodb
            .get_item()
            .table_name(TABLE)
            .set_key(Some(keyed("a", "b")))
            .send()
    };
    let refuse = Fault::Refuse(Failure::throttled(Service::DynamoDb));
    world
        .aws
        .faults()
        .once(Service::DynamoDb, "PutItem", refuse);
    let error = put().await.unwrap_err().into_service_error();
    assert!(
        error.is_provisioned_throughput_exceeded_exception(),
        "{error:?}"
    );
    assert!(get().await.unwrap().item.is_none());
    let report = Fault::ReportFailure(Failure::internal(Service::DynamoDb));
    world
        .aws
        .faults()
        .once(Service::DynamoDb, "PutItem", report);
    assert!(
        put()
            .await
            .unwrap_err()
            .into_service_error()
            .is_internal_server_error()
    );
    assert!(get().await.unwrap().item.is_some());
}

#[tokio::test]
async fn a_plan_sees_every_call_with_its_resource() {
    let world = World::new().await;
    let seen: Arc<Mutex<Vec<Call>>> = Arc::default();
    let sink = Arc::clone(&seen);
    world.aws.faults().set(move |call| {
        sink.lock().unwrap().push(call.clone());
        (call.resource == "absent").then(|| Fault::Refuse(Failure::access_denied(call.service)))
    });
    bucket(&world, None).await;
    put(&world, "a/b", "x").await;
    table(&world).await;
    world
        .sqs
        .create_queue()
        .queue_name("requests")
        .send()
        .await
        .unwrap();
    let refused = world
        .dynamodb
        .describe_table()
        .table_name("absent")
        .send()
        .await;
    assert_eq!(code(refused), "AccessDeniedException");
    world.aws.faults().clear();
    let absent = world
        .dynamodb
        .describe_table()
        .table_name("absent")
        .send()
        .await;
    assert_eq!(code(absent), "ResourceNotFoundException");

    let seen = seen.lock().unwrap();
    let told: Vec<_> = seen
        .iter()
        .map(|c| (c.service, c.operation.as_str(), c.resource.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Service::S3, "CreateBucket", BUCKET),
            (Service::S3, "PutObject", "a-bucket/a/b"),
            (Service::DynamoDb, "CreateTable", TABLE),
            (Service::Sqs, "CreateQueue", "requests"),
            (Service::DynamoDb, "DescribeTable", "absent"),
        ]
    );
}
