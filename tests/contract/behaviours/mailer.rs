//! Mailers: at least once, and twice does no harm.

use quittance_engine::ports::{Mail, Mailer};

pub(crate) async fn a_mail_may_be_sent_twice(mailer: &dyn Mailer) {
    let mail = Mail {
        to: "person@example.test".to_owned(),
        subject: "Your code – Ihr Code".to_owned(),
        text: "123456\n".to_owned(),
        id: "ab.code-1".to_owned(),
    };
    assert_eq!(mailer.send(&mail).await, Ok(()));
    assert_eq!(mailer.send(&mail).await, Ok(()));
}
