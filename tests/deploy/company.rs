//! The customers' stores: who is in them, and what is left of whom.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use quittance_aws::clients::Clients;

use crate::lake;
use crate::stack::put;

const ORDERS: &str = "orders/2026.csv.gz";
const CLICKS: &str = "clicks/2026.parquet";

/// Who is in the stores, by number.
pub(crate) const PEOPLE: usize = 4;

pub(crate) fn email(person: usize) -> String {
    format!("person-{person}@customers.test")
}

fn id(person: usize) -> String {
    format!("C{person}")
}

/// Makes the stores and puts everybody in.
pub(crate) async fn furnish(clients: &Clients) {
    table(clients, "shop-customers", "id", Some(("by_email", "email"))).await;
    table(clients, "shop-reviews", "review", None).await;
    for bucket in ["shop-media", "shop-lake"] {
        clients
            .s3()
            .create_bucket()
            .bucket(bucket)
            .send()
            .await
            .unwrap();
    }
    let mut rows = String::new();
    for person in 0..PEOPLE {
        let text = |text: String| AttributeValue::S(text);
        let item = clients
            .dynamodb()
            .put_item()
            .table_name("shop-customers")
            .item("id", text(id(person)));
        item.item("email", text(email(person)))
            .send()
            .await
            .unwrap();
        let item = clients
            .dynamodb()
            .put_item()
            .table_name("shop-reviews")
            .item("review", text(format!("r{person}")));
        let item = item
            .item("customer", text(id(person)))
            .item("author", text(format!("Person {person}")));
        item.send().await.unwrap();
        put(
            clients,
            "shop-media",
            &format!("avatars/{}/face.png", id(person)),
            vec![7; 100],
        )
        .await;
        for day in 0..3 {
            rows.push_str(&format!(
                "{{\"day\":{day},\"user\":{{\"email\":\"{}\"}}}}\n",
                email(person)
            ));
        }
    }
    for object in ["events/a.jsonl", "events/b.jsonl"] {
        put(clients, "shop-lake", object, rows.clone().into_bytes()).await;
    }
    let people: Vec<String> = (0..PEOPLE).map(email).collect();
    put(clients, "shop-lake", ORDERS, lake::orders(&people)).await;
    put(clients, "shop-lake", CLICKS, lake::clicks(&people)).await;
}

/// What the stores hold of somebody.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) account: bool,
    pub(crate) flagged: bool,
    pub(crate) author: String,
    pub(crate) pictures: usize,
    pub(crate) rows: usize,
    pub(crate) orders: usize,
    pub(crate) clicks: usize,
}

pub(crate) async fn left(clients: &Clients, person: usize) -> Left {
    let account = clients.dynamodb().get_item().table_name("shop-customers");
    let account = account
        .key("id", AttributeValue::S(id(person)))
        .send()
        .await
        .unwrap()
        .item;
    let review = clients.dynamodb().get_item().table_name("shop-reviews");
    let review = review
        .key("review", AttributeValue::S(format!("r{person}")))
        .send()
        .await
        .unwrap()
        .item
        .unwrap();
    let pictures = clients
        .s3()
        .list_objects_v2()
        .bucket("shop-media")
        .prefix(format!("avatars/{}/", id(person)));
    let mut rows = 0;
    for object in ["events/a.jsonl", "events/b.jsonl"] {
        rows += String::from_utf8(bytes(clients, object).await)
            .unwrap()
            .matches(&email(person))
            .count();
    }
    Left {
        flagged: account
            .as_ref()
            .is_some_and(|item| item.get("do_not_sell") == Some(&AttributeValue::Bool(true))),
        account: account.is_some(),
        author: review["author"].as_s().unwrap().clone(),
        pictures: pictures.send().await.unwrap().contents().len(),
        rows,
        orders: lake::orders_of(&bytes(clients, ORDERS).await, &email(person)),
        clicks: lake::clicks_of(bytes(clients, CLICKS).await, &email(person)),
    }
}

async fn bytes(clients: &Clients, key: &str) -> Vec<u8> {
    let get = clients.s3().get_object().bucket("shop-lake").key(key);
    let body = get.send().await.unwrap().body;
    body.collect().await.unwrap().to_vec()
}

/// Everything of somebody, untouched.
pub(crate) fn untouched(person: usize) -> Left {
    Left {
        account: true,
        flagged: false,
        author: format!("Person {person}"),
        pictures: 1,
        rows: 6,
        orders: 2,
        clicks: 2,
    }
}

async fn table(clients: &Clients, name: &str, key: &str, index: Option<(&str, &str)>) {
    let attribute = |name: &str| {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        attribute
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap()
    };
    let hash = |name: &str| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(KeyType::Hash)
            .build()
            .unwrap()
    };
    let mut create = clients
        .dynamodb()
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest);
    create = create
        .attribute_definitions(attribute(key))
        .key_schema(hash(key));
    if let Some((index, key)) = index {
        let all = Projection::builder()
            .projection_type(ProjectionType::All)
            .build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(index)
            .projection(all)
            .key_schema(hash(key));
        create = create
            .attribute_definitions(attribute(key))
            .global_secondary_indexes(index.build().unwrap());
    }
    create.send().await.unwrap();
}
