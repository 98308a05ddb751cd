//! `manifest.json`: every other file with its digest, and what was withheld.

use super::json::Writer;
use super::shown::ShownStore;
use super::{Missing, Package, PackagedFile, StoreExport, Withheld};

/// Writes the manifest; its digest stands in the receipt.
pub(super) fn write(
    package: &Package<'_>,
    stores: &[ShownStore<'_>],
    files: &[PackagedFile],
    withheld: &[Withheld],
) -> String {
    let mut out = Writer::default();
    out.object(|out| {
        out.name("format").string("quittance-export-manifest/1");
        out.name("reference").string(package.reference.as_str());
        out.name("controller").string(&package.controller.name);
        out.name("generated_on")
            .string(&package.generated_on.to_string());
        out.name("language").string(package.locale.tag());
        out.name("stores")
            .list(stores, |out, store| write_store(out, store));
        out.name("files")
            .list(files, |out, file| write_file(out, file, stores));
        out.name("withheld").list(withheld, |out, one| {
            out.object(|out| {
                out.name("store").string(&one.store);
                out.name("category").string(one.notice.kind.code());
                out.name("what").string(one.notice.what);
                out.name("count").number(one.count);
            });
        });
    });
    out.text.push('\n');
    out.text
}

fn write_store(out: &mut Writer, store: &ShownStore<'_>) {
    out.object(|out| {
        out.name("store").string(&store.source.public_name);
        write_about(out, store.source);
        out.name("records")
            .number(u64::try_from(store.records.len()).unwrap_or(u64::MAX));
        out.name("missing")
            .list(&store.source.missing, |out, missing| {
                out.string(code(missing));
            });
    });
}

fn write_file(out: &mut Writer, file: &PackagedFile, stores: &[ShownStore<'_>]) {
    out.object(|out| {
        out.name("path").string(&file.path);
        out.name("sha256").string(&file.sha256.to_string());
        out.name("bytes").number(file.bytes);
        out.name("media_type").string(&file.media_type);
        if let Some(name) = &file.store {
            out.name("store").string(name);
            let store = stores
                .iter()
                .find(|store| store.source.public_name == *name);
            if let Some(store) = store {
                write_about(out, store.source);
            }
            out.name("records").number(file.records);
        }
    });
}

fn write_about(out: &mut Writer, store: &StoreExport) {
    out.name("categories").strings(&store.about.categories);
    out.name("purposes").strings(&store.about.purposes);
}

const fn code(missing: &Missing) -> &'static str {
    match missing {
        Missing::Attested => "attested",
        Missing::Excluded { .. } => "excluded",
        Missing::Exempt { .. } => "exempt",
        Missing::NothingFound => "nothing_found",
        Missing::Unreadable => "unreadable",
    }
}
