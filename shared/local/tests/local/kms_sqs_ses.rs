//! Keys, queues and mails.

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};

use crate::{World, code};

#[tokio::test]
async fn a_data_key_is_opened_only_in_its_context() {
    let world = World::new().await;
    let key = world
        .kms
        .create_key()
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap()
        .key_id;
    world
        .kms
        .create_alias()
        .alias_name("alias/vault")
        .target_key_id(&key)
        .send()
        .await
        .unwrap();
    let made = world
        .kms
        .generate_data_key()
        .key_id("alias/vault")
        .number_of_bytes(32);
    let made = made
        .encryption_context("request", "1")
        .send()
        .await
        .unwrap();
    let wrapped = made.ciphertext_blob.unwrap();
    let open = |request: &str| {
        let decrypt = world.kms.decrypt().ciphertext_blob(wrapped.clone());
        decrypt.encryption_context("request", request).send()
    };
    assert_eq!(open("1").await.unwrap().plaintext, made.plaintext);
    assert_eq!(code(open("2").await), "InvalidCiphertextException");
}

#[tokio::test]
async fn a_p256_key_signs_and_verifies() {
    let world = World::new().await;
    let key = world
        .kms
        .create_key()
        .key_spec(KeySpec::EccNistP256)
        .key_usage(KeyUsageType::SignVerify);
    let key = key.send().await.unwrap().key_metadata.unwrap().key_id;
    let sign = world
        .kms
        .sign()
        .key_id(&key)
        .message(Blob::new("statement"))
        .message_type(MessageType::Raw);
    let signed = sign
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
        .send()
        .await
        .unwrap();
    let verify = |message: &str| {
        let verify = world
            .kms
            .verify()
            .key_id(&key)
            .message(Blob::new(message))
            .message_type(MessageType::Raw);
        let verify = verify.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
        verify.signature(signed.signature.clone().unwrap()).send()
    };
    assert!(verify("statement").await.unwrap().signature_valid());
    assert_eq!(
        code(verify("another").await),
        "KMSInvalidSignatureException"
    );
}

#[tokio::test]
async fn a_mac_key_makes_the_same_tag_for_the_same_message() {
    let world = World::new().await;
    let key = world
        .kms
        .create_key()
        .key_spec(KeySpec::Hmac256)
        .key_usage(KeyUsageType::GenerateVerifyMac);
    let key = key.send().await.unwrap().key_metadata.unwrap().key_id;
    let tag = |message: &str| {
        let mac = world
            .kms
            .generate_mac()
            .key_id(&key)
            .message(Blob::new(message));
        mac.mac_algorithm(aws_sdk_kms::types::MacAlgorithmSpec::HmacSha256)
            .send()
    };
    let (first, again) = (tag("a").await.unwrap().mac, tag("a").await.unwrap().mac);
    assert_eq!(first, again);
    assert_ne!(first, tag("b").await.unwrap().mac);
}

#[tokio::test]
async fn a_message_is_hidden_while_it_is_worked_on_and_gone_when_deleted() {
    let world = World::new().await;
    let queue = world
        .sqs
        .create_queue()
        .queue_name("tasks")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    let again = world
        .sqs
        .create_queue()
        .queue_name("tasks")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    assert_eq!(queue, again, "making a queue again finds it");
    world
        .sqs
        .send_message()
        .queue_url(&queue)
        .message_body("hello")
        .send()
        .await
        .unwrap();
    let receive = || {
        let receive = world
            .sqs
            .receive_message()
            .queue_url(&queue)
            .max_number_of_messages(10);
        receive
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
    };
    let got = receive().await.unwrap().messages.unwrap();
    assert_eq!(got[0].body(), Some("hello"));
    assert_eq!(
        got[0].attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount],
        "1"
    );
    assert!(receive().await.unwrap().messages().is_empty());
    let handle = got[0].receipt_handle().unwrap();
    let visible = world
        .sqs
        .change_message_visibility()
        .queue_url(&queue)
        .receipt_handle(handle);
    visible.visibility_timeout(0).send().await.unwrap();
    let got = receive().await.unwrap().messages.unwrap();
    assert_eq!(
        got[0].attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount],
        "2"
    );
    let handle = got[0].receipt_handle().unwrap();
    world
        .sqs
        .delete_message()
        .queue_url(&queue)
        .receipt_handle(handle)
        .send()
        .await
        .unwrap();
    assert!(receive().await.unwrap().messages().is_empty());
}

#[tokio::test]
async fn a_message_received_too_often_goes_to_the_dead_letter_queue() {
    let world = World::new().await;
    let dead = world
        .sqs
        .create_queue()
        .queue_name("dead")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    let told = world
        .sqs
        .get_queue_attributes()
        .queue_url(&dead)
        .attribute_names(QueueAttributeName::QueueArn);
    let arn = told.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"1"}}"#);
    let queue = world
        .sqs
        .create_queue()
        .queue_name("tasks")
        .attributes(QueueAttributeName::RedrivePolicy, policy);
    let queue = queue
        .attributes(QueueAttributeName::VisibilityTimeout, "0")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    world
        .sqs
        .send_message()
        .queue_url(&queue)
        .message_body("poison")
        .send()
        .await
        .unwrap();
    for _ in 0..2 {
        world
            .sqs
            .receive_message()
            .queue_url(&queue)
            .send()
            .await
            .unwrap();
    }
    let got = world
        .sqs
        .receive_message()
        .queue_url(&dead)
        .wait_time_seconds(5)
        .send()
        .await
        .unwrap();
    assert_eq!(got.messages()[0].body(), Some("poison"));
}

#[tokio::test]
async fn each_receive_counts_once_and_only_the_last_handle_works() {
    let world = World::new().await;
    let queue = world
        .sqs
        .create_queue()
        .queue_name("tasks")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    world
        .sqs
        .send_message()
        .queue_url(&queue)
        .message_body("x")
        .send()
        .await
        .unwrap();
    let mut handles = Vec::new();
    for expected in ["1", "2", "3"] {
        let receive = world
            .sqs
            .receive_message()
            .queue_url(&queue)
            .visibility_timeout(0);
        let receive = receive
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send();
        let message = receive.await.unwrap().messages.unwrap().remove(0);
        let count =
            &message.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount];
        assert_eq!(count, expected);
        handles.push(message.receipt_handle.unwrap());
    }
    let delete = |handle: &str| {
        world
            .sqs
            .delete_message()
            .queue_url(&queue)
            .receipt_handle(handle)
            .send()
    };
    delete(&handles[0]).await.unwrap();
    let counted = || async {
        let told = world
            .sqs
            .get_queue_attributes()
            .queue_url(&queue)
            .attribute_names(QueueAttributeName::All);
        let told = told.send().await.unwrap().attributes.unwrap();
        told[&QueueAttributeName::ApproximateNumberOfMessages].clone()
    };
    assert_eq!(counted().await, "1");
    delete(&handles[2]).await.unwrap();
    delete(&handles[2]).await.unwrap();
    assert_eq!(counted().await, "0");
}

#[tokio::test]
async fn a_waiting_receive_is_woken_by_a_message_and_by_the_end_of_a_delay() {
    let world = World::new().await;
    let queue = world
        .sqs
        .create_queue()
        .queue_name("tasks")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    let receive = || {
        world
            .sqs
            .receive_message()
            .queue_url(&queue)
            .wait_time_seconds(20)
            .send()
    };
    let send = || world.sqs.send_message().queue_url(&queue).message_body("x");
    let (got, done) = tokio::join!(receive(), send().send());
    done.unwrap();
    assert_eq!(got.unwrap().messages().len(), 1);
    send().delay_seconds(1).send().await.unwrap();
    let none = world
        .sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .unwrap();
    assert!(none.messages().is_empty());
    assert_eq!(receive().await.unwrap().messages().len(), 1);
}

#[tokio::test]
async fn an_absent_queue_is_refused_by_name() {
    let world = World::new().await;
    let absent = world
        .sqs
        .get_queue_url()
        .queue_name("absent")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(absent.is_queue_does_not_exist(), "{absent:?}");
    let fifo = world.sqs.create_queue().queue_name("q.fifo").send().await;
    assert_eq!(code(fifo), "InvalidParameterValue");
}

#[tokio::test]
async fn batches_of_messages_are_sent_and_deleted() {
    let world = World::new().await;
    let queue = world
        .sqs
        .create_queue()
        .queue_name("tasks")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    let entry = |n: usize| {
        SendMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .message_body("x")
            .build()
            .unwrap()
    };
    let send = world
        .sqs
        .send_message_batch()
        .queue_url(&queue)
        .set_entries(Some((0..10).map(entry).collect()));
    assert_eq!(send.send().await.unwrap().successful().len(), 10);
    let got = world
        .sqs
        .receive_message()
        .queue_url(&queue)
        .max_number_of_messages(10)
        .send()
        .await
        .unwrap();
    let gone = got.messages().iter().enumerate().map(|(n, message)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
        entry
            .receipt_handle(message.receipt_handle().unwrap())
            .build()
            .unwrap()
    });
    let delete = world
        .sqs
        .delete_message_batch()
        .queue_url(&queue)
        .set_entries(Some(gone.collect()));
    assert_eq!(
        delete.send().await.unwrap().successful().len(),
        got.messages().len()
    );
}

#[tokio::test]
async fn a_mail_is_kept_for_who_asks_here_and_never_shown_in_debug() {
    let world = World::new().await;
    let said = |text: &str| Content::builder().data(text).build().unwrap();
    let message = Message::builder()
        .subject(said("Your code"))
        .body(Body::builder().text(said("123456")).build());
    let sent = world
        .ses
        .send_email()
        .from_email_address("privacy@example.test")
        .destination(
            Destination::builder()
                .to_addresses("ada@example.test")
                .build(),
        )
        .content(EmailContent::builder().simple(message.build()).build())
        .send()
        .await
        .unwrap();
    let mails = world.aws.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(Some(mails[0].message_id.as_str()), sent.message_id());
    assert_eq!(
        (mails[0].to.as_slice(), mails[0].text.as_str()),
        (&["ada@example.test".to_owned()][..], "123456")
    );
    assert_eq!(format!("{:?}", mails[0]), "Mail(***)");
    let refused = world.ses.get_account().send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 501);
}
