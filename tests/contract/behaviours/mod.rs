//! What every implementation of a port does, one function per behaviour.
//!
//! [`tests_over!`](crate::tests_over) makes a test of each behaviour over one kind of [`World`]. A
//! behaviour that is left out of its list is a function that nobody calls, and the compiler says so.

pub(crate) mod aws;
pub(crate) mod evidence;
pub(crate) mod head_lock;
pub(crate) mod ledger;
pub(crate) mod listings;
pub(crate) mod mailer;
pub(crate) mod queues;
pub(crate) mod samples;
pub(crate) mod signer;
pub(crate) mod tiles;
pub(crate) mod vault;
pub(crate) mod witness;

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use quittance_aws::adapters::Adapters;
use quittance_aws::clients::Clients;
use quittance_aws::clock::SystemClock;
use quittance_aws::provision::{self, Names};
use quittance_aws::settings::{Setting, Settings};
use quittance_core::fault::Fault;
use quittance_engine::ports::{
    Clock, Deposit, Evidence, HeadLock, Ledger, Mailer, Shredder, Signer, TileStore, Vault,
};
use quittance_engine::witness::Witness;

/// One implementation of every port, empty.
pub(crate) struct World {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) deposit: Arc<dyn Deposit>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) shredder: Arc<dyn Shredder>,
    pub(crate) evidence: Arc<dyn Evidence>,
    pub(crate) tiles: Arc<dyn TileStore>,
    pub(crate) head_lock: Arc<dyn HeadLock>,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) witness: Arc<Witness>,
    pub(crate) clock: Arc<dyn Clock>,
    /// What the world stands on.
    #[expect(dead_code, reason = "it is only held: its end would end the world")]
    pub(crate) ground: Vec<Box<dyn Any + Send + Sync>>,
}

/// The adapters for AWS, on whatever answers as AWS.
pub(crate) struct AwsWorld {
    pub(crate) adapters: Arc<Adapters>,
    /// What the world stands on.
    pub(crate) ground: Vec<Box<dyn Any + Send + Sync>>,
}

impl AwsWorld {
    /// Provisions an empty deployment; keys and mails are files unless `more` says otherwise.
    pub(crate) async fn provision(
        clients: Clients,
        prefix: &str,
        more: Vec<(Setting, String)>,
        mut ground: Vec<Box<dyn Any + Send + Sync>>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path =
            |kind: &str, name: &str| format!("{kind}:{}", folder.path().join(name).display());
        let names = Names::new(prefix);
        let mut settings = provision::all(&clients, &names).await.unwrap();
        // A second time changes nothing and tells the same.
        assert_eq!(provision::all(&clients, &names).await.unwrap(), settings);
        settings.push(provision::witness(&clients, &names).await.unwrap());
        settings.extend([
            (Setting::VaultKey, path("file", "vault.key")),
            (Setting::StatementKey, path("file", "statement.pem")),
            (Setting::LogKey, path("file", "log.pem")),
            (Setting::LogOrigin, "log.test/dsr".to_owned()),
            (Setting::WitnessKey, path("file", "witness.pem")),
            (Setting::WitnessName, "witness.test".to_owned()),
            (Setting::WitnessLogs, samples::LOG_VKEY.to_owned()),
            (Setting::TagKeys, path("file", "tags.json")),
            (Setting::IntakeKey, path("file", "intake.key")),
            (Setting::Mail, path("dir", "mails")),
        ]);
        settings.extend(more);
        let settings = Settings::new(settings).unwrap();
        ground.push(Box::new(folder));
        let adapters = Adapters::new(settings, clients, Arc::new(SystemClock));
        Self {
            adapters: Arc::new(adapters),
            ground,
        }
    }

    /// Each port from its adapter.
    pub(crate) async fn world(self) -> World {
        let Self { adapters, ground } = self;
        let vault = Arc::new(adapters.vault().unwrap());
        World {
            ledger: Arc::new(adapters.ledger().unwrap()),
            deposit: vault.clone(),
            vault: vault.clone(),
            shredder: Arc::new(adapters.shredder().unwrap()),
            evidence: Arc::new(adapters.evidence().unwrap()),
            tiles: Arc::new(adapters.tiles().unwrap()),
            head_lock: Arc::new(adapters.head_lock().unwrap()),
            signer: adapters.signer().await.unwrap(),
            mailer: adapters.mailer().unwrap(),
            witness: Arc::new(adapters.witness().await.unwrap()),
            clock: adapters.clock(),
            ground,
        }
    }
}

/// How many of racing calls won; the others must have been told of a conflict.
pub(crate) fn winners<T: Debug>(answers: &[Result<T, Fault>]) -> usize {
    for answer in answers {
        assert!(matches!(answer, Ok(_) | Err(Fault::Conflict)), "{answer:?}");
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

/// Makes a test of every behaviour of every port over the worlds that `$world` makes.
#[macro_export]
macro_rules! tests_over {
    ($world:path) => {
        $crate::cases!($world, ledger: ledger;
            a_created_item_has_version_one_and_is_not_created_again
            a_replacement_needs_exactly_the_version_that_was_read
            a_deletion_needs_exactly_the_version_that_was_read
            a_check_guards_and_changes_nothing
            a_failed_guard_undoes_the_whole_commit
            a_hundred_items_are_committed_at_once
            racing_replacements_have_one_winner
            racing_creations_have_one_winner
            racing_transactions_have_one_winner
            every_kind_of_item_is_read_as_it_was_written
        );
        $crate::cases!($world, listings: ledger;
            tasks_list_by_store
            a_timeline_lists_in_order
            open_requests_list_by_subject
            the_outbox_lists_oldest_first
            waking_requests_list_soonest_first_up_to_the_instant
            open_requests_list_by_due_date_and_drafts_last
            closed_requests_list_latest_first
            a_request_leaves_the_listings_it_no_longer_belongs_to
            sweeps_list_latest_first_and_each_right_apart
            a_sweeps_shards_and_exclusions_list_apart
            who_waits_lists_by_store_and_right
            a_bookmark_stays_good_when_its_item_is_gone
            pages_are_full_and_end_exactly
        );
        $crate::cases!($world, vault;
            what_was_deposited_is_read
            a_deposit_may_be_repeated
            the_first_write_of_a_name_wins
            racing_writers_of_a_name_read_the_same
            a_shredded_request_is_gone_and_others_are_not
            an_unknown_request_has_no_vault
            old_keys_are_listed_page_by_page
        );
        $crate::cases!($world, evidence: evidence;
            the_first_write_of_a_path_wins
            racing_writers_of_a_path_read_the_same
            what_was_never_written_is_absent
        );
        $crate::cases!($world, tiles: tiles;
            a_file_is_written_once_and_compared_ever_after
            a_checkpoint_is_published_over_exactly_what_was_read
            racing_publications_have_one_winner
            a_staging_bundle_is_discarded_twice
        );
        $crate::cases!($world, head_lock: head_lock;
            a_log_is_born_once
            a_swap_needs_the_whole_old_head
            racing_swaps_have_one_winner
        );
        $crate::cases!($world, signer: signer;
            statements_verify_under_the_public_key
            checkpoints_verify_under_the_logs_key
        );
        $crate::cases!($world, witness: witness;
            what_was_cosigned_last_is_remembered
            racing_memories_have_one_winner
            cosignatures_verify_under_the_witnesss_key
        );
        $crate::cases!($world, mailer: mailer;
            a_mail_may_be_sent_twice
        );
    };
}

/// Makes a test of every behaviour that only the adapters for AWS have.
#[macro_export]
macro_rules! aws_tests_over {
    ($world:path) => {
        $crate::cases!($world, queues: adapters;
            a_message_reaches_the_queue_of_its_right_and_kind
            a_released_message_comes_again_and_is_counted
            a_deleted_message_does_not_come_again
        );
        $crate::cases!($world, aws: adapters;
            a_vault_object_is_ciphertext_bound_to_its_request
            a_shredded_vault_leaves_nothing_behind
            an_interrupted_deposit_is_made_again
            public_files_are_labelled_for_caches
            a_draft_has_a_broom_and_an_accepted_request_has_none
        );
    };
}

/// Makes a test per behaviour, each in a world of its own.
#[macro_export]
macro_rules! cases {
    ($world:path, $port:ident; $($case:ident)*) => {
        mod $port {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let world = $world().await;
                $crate::behaviours::$port::$case(&world).await;
            })*
        }
    };
    ($world:path, $port:ident: $field:ident; $($case:ident)*) => {
        mod $port {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let world = $world().await;
                $crate::behaviours::$port::$case(world.$field.as_ref()).await;
            })*
        }
    };
}
