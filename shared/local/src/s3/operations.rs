//! The table of operations, and the settings whose documents are only kept.
//!
//! The protocol crate answers 501 for every operation that is not here.

use std::sync::Arc;

use s3s::dto::{
    BucketLifecycleConfiguration, BucketLoggingStatus, GetBucketEncryptionOutput,
    GetBucketLifecycleConfigurationOutput, GetBucketLoggingOutput,
    GetBucketNotificationConfigurationOutput, GetBucketPolicyOutput, GetBucketReplicationOutput,
    GetBucketTaggingOutput, GetPublicAccessBlockOutput, ListBucketInventoryConfigurationsOutput,
    NotificationConfiguration, Tagging,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::buckets::{self, Setting, document, put_raw_setting, raw_setting, setting};
use super::store::Store;
use super::{copy, delete, list, lock, multipart, objects, tags};

/// Carries the store to each operation.
pub(super) struct Operations {
    store: Arc<Store>,
}

impl Operations {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

/// Writes the implementation: `method: input => output = function` for what is told elsewhere, then
/// methods that keep a setting, read it or remove it, then the rest as it stands.
macro_rules! operations {
    (
        { $($method:ident: $input:ident => $output:ident = $function:path;)* }
        keep { $($put:ident: $put_in:ident => $put_out:ident = $kind:ident, $field:ident;)* }
        drop { $($remove:ident: $remove_in:ident => $remove_out:ident = $gone:ident;)* }
        { $($rest:tt)* }
    ) => {
        #[async_trait::async_trait]
        impl S3 for Operations {
            $(
                async fn $method(
                    &self,
                    req: S3Request<s3s::dto::$input>,
                ) -> S3Result<S3Response<s3s::dto::$output>> {
                    $function(&self.store, req).await
                }
            )*
            $(
                async fn $put(
                    &self,
                    req: S3Request<s3s::dto::$put_in>,
                ) -> S3Result<S3Response<s3s::dto::$put_out>> {
                    let input = req.input;
                    let body = document(&input.$field)?;
                    put_raw_setting(&self.store, input.bucket, Setting::$kind, Some(body)).await?;
                    Ok(S3Response::new(s3s::dto::$put_out::default()))
                }
            )*
            $(
                async fn $remove(
                    &self,
                    req: S3Request<s3s::dto::$remove_in>,
                ) -> S3Result<S3Response<s3s::dto::$remove_out>> {
                    put_raw_setting(&self.store, req.input.bucket, Setting::$gone, None).await?;
                    Ok(S3Response::new(s3s::dto::$remove_out::default()))
                }
            )*
            $($rest)*
        }
    };
}

operations! {
    {
        create_bucket: CreateBucketInput => CreateBucketOutput = buckets::create;
        delete_bucket: DeleteBucketInput => DeleteBucketOutput = buckets::delete;
        get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput = buckets::location;
        get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput = buckets::versioning;
        head_bucket: HeadBucketInput => HeadBucketOutput = buckets::head;
        list_buckets: ListBucketsInput => ListBucketsOutput = buckets::list;
        put_bucket_versioning: PutBucketVersioningInput => PutBucketVersioningOutput = buckets::put_versioning;

        copy_object: CopyObjectInput => CopyObjectOutput = copy::object;
        delete_object: DeleteObjectInput => DeleteObjectOutput = delete::one;
        delete_objects: DeleteObjectsInput => DeleteObjectsOutput = delete::many;
        get_object: GetObjectInput => GetObjectOutput = objects::get;
        get_object_attributes: GetObjectAttributesInput => GetObjectAttributesOutput = objects::about;
        head_object: HeadObjectInput => HeadObjectOutput = objects::head;
        put_object: PutObjectInput => PutObjectOutput = objects::put;

        delete_object_tagging: DeleteObjectTaggingInput => DeleteObjectTaggingOutput = tags::delete;
        get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput = tags::get;
        put_object_tagging: PutObjectTaggingInput => PutObjectTaggingOutput = tags::put;

        get_object_legal_hold: GetObjectLegalHoldInput => GetObjectLegalHoldOutput = lock::legal_hold;
        get_object_lock_configuration: GetObjectLockConfigurationInput => GetObjectLockConfigurationOutput = lock::configuration;
        get_object_retention: GetObjectRetentionInput => GetObjectRetentionOutput = lock::retention;
        put_object_legal_hold: PutObjectLegalHoldInput => PutObjectLegalHoldOutput = lock::put_legal_hold;
        put_object_lock_configuration: PutObjectLockConfigurationInput => PutObjectLockConfigurationOutput = lock::put_configuration;
        put_object_retention: PutObjectRetentionInput => PutObjectRetentionOutput = lock::put_retention;

        abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput = multipart::abort;
        complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput = multipart::complete;
        create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput = multipart::create;
        upload_part: UploadPartInput => UploadPartOutput = multipart::upload_part;
        upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput = multipart::upload_part_copy;

        list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput = list::uploads;
        list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput = list::versions;
        list_objects: ListObjectsInput => ListObjectsOutput = list::objects_v1;
        list_objects_v2: ListObjectsV2Input => ListObjectsV2Output = list::objects_v2;
        list_parts: ListPartsInput => ListPartsOutput = list::parts;
    }
    keep {
        put_bucket_encryption: PutBucketEncryptionInput => PutBucketEncryptionOutput
            = Encryption, server_side_encryption_configuration;
        put_bucket_inventory_configuration:
            PutBucketInventoryConfigurationInput => PutBucketInventoryConfigurationOutput
            = Inventory, inventory_configuration;
        put_bucket_logging: PutBucketLoggingInput => PutBucketLoggingOutput
            = Logging, bucket_logging_status;
        put_bucket_notification_configuration:
            PutBucketNotificationConfigurationInput => PutBucketNotificationConfigurationOutput
            = Notification, notification_configuration;
        put_bucket_replication: PutBucketReplicationInput => PutBucketReplicationOutput
            = Replication, replication_configuration;
        put_bucket_tagging: PutBucketTaggingInput => PutBucketTaggingOutput = Tags, tagging;
        put_public_access_block: PutPublicAccessBlockInput => PutPublicAccessBlockOutput
            = PublicAccess, public_access_block_configuration;
    }
    drop {
        delete_bucket_encryption: DeleteBucketEncryptionInput => DeleteBucketEncryptionOutput = Encryption;
        delete_bucket_lifecycle: DeleteBucketLifecycleInput => DeleteBucketLifecycleOutput = Lifecycle;
        delete_bucket_policy: DeleteBucketPolicyInput => DeleteBucketPolicyOutput = Policy;
        delete_bucket_replication: DeleteBucketReplicationInput => DeleteBucketReplicationOutput = Replication;
        delete_bucket_tagging: DeleteBucketTaggingInput => DeleteBucketTaggingOutput = Tags;
        delete_public_access_block: DeletePublicAccessBlockInput => DeletePublicAccessBlockOutput = PublicAccess;
    }
    {
        async fn put_bucket_lifecycle_configuration(
            &self,
            req: S3Request<s3s::dto::PutBucketLifecycleConfigurationInput>,
        ) -> S3Result<S3Response<s3s::dto::PutBucketLifecycleConfigurationOutput>> {
            let input = req.input;
            let kept = input.lifecycle_configuration.ok_or_else(|| s3_error!(MalformedXML, "no configuration"))?;
            let body = document(&kept)?;
            put_raw_setting(&self.store, input.bucket, Setting::Lifecycle, Some(body)).await?;
            Ok(S3Response::new(s3s::dto::PutBucketLifecycleConfigurationOutput::default()))
        }

        async fn put_bucket_policy(
            &self,
            req: S3Request<s3s::dto::PutBucketPolicyInput>,
        ) -> S3Result<S3Response<s3s::dto::PutBucketPolicyOutput>> {
            let input = req.input;
            put_raw_setting(&self.store, input.bucket, Setting::Policy, Some(input.policy.into_bytes())).await?;
            Ok(S3Response::new(s3s::dto::PutBucketPolicyOutput::default()))
        }

        async fn get_bucket_encryption(
            &self,
            req: S3Request<s3s::dto::GetBucketEncryptionInput>,
        ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
            let kept = setting(&self.store, req.input.bucket, Setting::Encryption).await?;
            let kept = Some(kept.ok_or_else(|| Setting::Encryption.missing())?);
            Ok(S3Response::new(GetBucketEncryptionOutput { server_side_encryption_configuration: kept }))
        }

        async fn get_bucket_lifecycle_configuration(
            &self,
            req: S3Request<s3s::dto::GetBucketLifecycleConfigurationInput>,
        ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
            let kept = setting::<BucketLifecycleConfiguration>(&self.store, req.input.bucket, Setting::Lifecycle).await?;
            let rules = Some(kept.ok_or_else(|| Setting::Lifecycle.missing())?.rules);
            Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
                rules,
                ..GetBucketLifecycleConfigurationOutput::default()
            }))
        }

        async fn get_bucket_logging(
            &self,
            req: S3Request<s3s::dto::GetBucketLoggingInput>,
        ) -> S3Result<S3Response<GetBucketLoggingOutput>> {
            let kept = setting::<BucketLoggingStatus>(&self.store, req.input.bucket, Setting::Logging).await?;
            let logging_enabled = kept.and_then(|kept| kept.logging_enabled);
            Ok(S3Response::new(GetBucketLoggingOutput { logging_enabled }))
        }

        /// One inventory is kept, the last.
        async fn list_bucket_inventory_configurations(
            &self,
            req: S3Request<s3s::dto::ListBucketInventoryConfigurationsInput>,
        ) -> S3Result<S3Response<ListBucketInventoryConfigurationsOutput>> {
            let kept = setting(&self.store, req.input.bucket, Setting::Inventory).await?;
            Ok(S3Response::new(ListBucketInventoryConfigurationsOutput {
                inventory_configuration_list: kept.map(|kept| vec![kept]),
                ..ListBucketInventoryConfigurationsOutput::default()
            }))
        }

        async fn get_bucket_notification_configuration(
            &self,
            req: S3Request<s3s::dto::GetBucketNotificationConfigurationInput>,
        ) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
            let kept = setting::<NotificationConfiguration>(&self.store, req.input.bucket, Setting::Notification).await?;
            let kept = kept.unwrap_or_default();
            Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
                event_bridge_configuration: kept.event_bridge_configuration,
                lambda_function_configurations: kept.lambda_function_configurations,
                queue_configurations: kept.queue_configurations,
                topic_configurations: kept.topic_configurations,
            }))
        }

        async fn get_bucket_policy(
            &self,
            req: S3Request<s3s::dto::GetBucketPolicyInput>,
        ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
            let kept = raw_setting(&self.store, req.input.bucket, Setting::Policy).await?;
            let policy = String::from_utf8(kept.ok_or_else(|| Setting::Policy.missing())?).ok();
            Ok(S3Response::new(GetBucketPolicyOutput { policy }))
        }

        async fn get_bucket_replication(
            &self,
            req: S3Request<s3s::dto::GetBucketReplicationInput>,
        ) -> S3Result<S3Response<GetBucketReplicationOutput>> {
            let kept = setting(&self.store, req.input.bucket, Setting::Replication).await?;
            let replication_configuration = Some(kept.ok_or_else(|| Setting::Replication.missing())?);
            Ok(S3Response::new(GetBucketReplicationOutput { replication_configuration }))
        }

        async fn get_bucket_tagging(
            &self,
            req: S3Request<s3s::dto::GetBucketTaggingInput>,
        ) -> S3Result<S3Response<GetBucketTaggingOutput>> {
            let kept = setting::<Tagging>(&self.store, req.input.bucket, Setting::Tags).await?;
            let tag_set = kept.ok_or_else(|| Setting::Tags.missing())?.tag_set;
            Ok(S3Response::new(GetBucketTaggingOutput { tag_set }))
        }

        async fn get_public_access_block(
            &self,
            req: S3Request<s3s::dto::GetPublicAccessBlockInput>,
        ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
            let kept = setting(&self.store, req.input.bucket, Setting::PublicAccess).await?;
            let public_access_block_configuration = Some(kept.ok_or_else(|| Setting::PublicAccess.missing())?);
            Ok(S3Response::new(GetPublicAccessBlockOutput { public_access_block_configuration }))
        }
    }
}
