//! A plain HTTP client of the request API.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::printing::Failure;

/// The API of a running company.
pub(super) struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

impl Api {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            address,
        }
    }

    /// Posts JSON and returns the JSON that answers.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let bytes = self.send(Method::POST, path, Some(body), None).await?;
        Ok(if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)?
        })
    }

    /// Posts JSON and returns the bytes that answer.
    pub(super) async fn download(&self, path: &str, body: &Value) -> Result<Bytes, Failure> {
        self.send(Method::POST, path, Some(body), None).await
    }

    /// Gets JSON with a bearer secret.
    pub(super) async fn get(&self, path: &str, secret: &str) -> Result<Value, Failure> {
        let bytes = self.send(Method::GET, path, None, Some(secret)).await?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        secret: Option<&str>,
    ) -> Result<Bytes, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json");
        if let Some(secret) = secret {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        let body = body
            .map(serde_json::to_vec)
            .transpose()?
            .unwrap_or_default();
        let answer = self
            .client
            .request(request.body(Full::new(Bytes::from(body)))?)
            .await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        if status.is_success() {
            return Ok(bytes);
        }
        let title = serde_json::from_slice::<Value>(&bytes)
            .ok()
            .and_then(|problem| problem.get("title")?.as_str().map(str::to_owned))
            .unwrap_or_default();
        let failure = format!("{path} answers {status}: {title}");
        Err(if status == StatusCode::SERVICE_UNAVAILABLE {
            Failure::later(failure)
        } else {
            Failure::failed(failure)
        })
    }
}
