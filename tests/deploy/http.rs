//! Plain HTTP, to the emulator and through it.

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A client that collects whole answers.
#[derive(Clone)]
pub(crate) struct Http(Client<HttpConnector, Full<Bytes>>);

impl Http {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, Error> {
        let (parts, body) = self.0.request(request).await?.into_parts();
        let body = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes);
        Ok(Response::from_parts(parts, body.unwrap_or_default()))
    }

    pub(crate) async fn get(&self, address: &str) -> Bytes {
        let uri: Uri = address.parse().unwrap();
        let request = Request::get(uri).body(Full::default()).unwrap();
        self.send(request).await.unwrap().into_body()
    }

    /// Sends JSON to the API and returns what answers.
    pub(crate) async fn call(
        &self,
        method: Method,
        address: &str,
        secret: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, Bytes) {
        let mut request = Request::builder()
            .method(method)
            .uri(address)
            .header("content-type", "application/json");
        if let Some(secret) = secret {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        let body = body
            .map(|body| serde_json::to_vec(body).unwrap())
            .unwrap_or_default();
        let answer = self
            .send(request.body(Full::new(body.into())).unwrap())
            .await
            .unwrap();
        (answer.status().as_u16(), answer.into_body())
    }
}
