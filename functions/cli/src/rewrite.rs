//! `dsr rewrite`: the rewriter that sweeps use, on a local file.
//!
//! The result appears under its name when it is whole, never before; the file that is read is never
//! changed. Rows and compressions are in `quittance_stores::rewrite`.

mod args;
mod figures;
mod ids;
mod source;
mod table;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use quittance_core::data_map::RecordFormat;
use quittance_core::matching::MatchSet;
use quittance_stores::rewrite::{Action, Limits, Output, Report, RewriteError, Rewriter, Source};
use tempfile::NamedTempFile;

pub(crate) use self::args::RewriteArgs;
use self::figures::{Figures, cpu_seconds};
use self::table::Broken;
use crate::offline::unreadable;
use crate::printing::Failure;

/// `dsr rewrite`.
pub(crate) fn rewrite(args: &RewriteArgs) -> Result<ExitCode, Failure> {
    let mut from = File::open(&args.from).map_err(|error| unreadable(&args.from, &error))?;
    let target = args
        .to
        .as_deref()
        .map(|to| Target::new(args, to))
        .transpose()?;
    let source = source::detect(args, &mut from)?;
    let before = cpu_seconds();
    let ids = ids::read(args)?;
    let built = cpu_seconds().zip(before).map(|(now, before)| now - before);
    let (identifiers, skipped) = (ids.set.len(), ids.skipped);
    let set = Arc::new(ids.set);
    let (report, written) = match target {
        None => (run(args, &mut from, source, set, None)?, None),
        Some(mut target) => {
            let report = run(args, &mut from, source, set, Some(&mut target.file))?;
            (report, Some(target.keep(&from)?))
        }
    };
    Figures::new(source, &report, (identifiers, skipped))
        .with_set_seconds(built)
        .with_out(written.map(|path| path.display().to_string()))
        .print(args.json);
    Ok(ExitCode::SUCCESS)
}

/// Takes rows out of a file, or counts them when there is nowhere to write to.
fn run(
    args: &RewriteArgs,
    from: &mut File,
    source: Source,
    set: Arc<MatchSet>,
    to: Option<&mut NamedTempFile>,
) -> Result<Report, Failure> {
    if source.format == RecordFormat::Parquet {
        let to = to.map(|to| -> &mut (dyn Write + Send) { to });
        return table::run(from, set, to).map_err(|broken| match broken {
            Broken::Reading(error) => unreadable(&args.from, &error),
            Broken::Refused(error) => refused(args, &error),
            Broken::Writing(error) => error.into(),
        });
    }
    let action = match to {
        Some(_) => Action::Drop,
        None => Action::Find,
    };
    let rewriter = Rewriter::new(source, set, action, Limits::default())
        .map_err(|error| refused(args, &error))?;
    match to {
        Some(to) => push(args, from, rewriter, to),
        None => push(args, from, rewriter, &mut std::io::sink()),
    }
}

/// Pushes a file through a rewriter.
fn push(
    args: &RewriteArgs,
    from: &mut File,
    mut rewriter: Rewriter,
    to: &mut dyn Write,
) -> Result<Report, Failure> {
    let mut buffer = vec![0; BUFFER];
    let mut out = Output::default();
    loop {
        let read = from
            .read(&mut buffer)
            .map_err(|error| unreadable(&args.from, &error))?;
        if read == 0 {
            break;
        }
        let mut rest = buffer.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            let took = rewriter
                .push(rest, &mut out)
                .map_err(|error| refused(args, &error))?;
            rest = rest.get(took..).unwrap_or_default();
            if out.bytes.len() >= BUFFER {
                to.write_all(&out.bytes)?;
                out.bytes.clear();
            }
        }
    }
    let report = rewriter
        .finish(&mut out)
        .map_err(|error| refused(args, &error))?;
    to.write_all(&out.bytes)?;
    Ok(report)
}

fn refused(args: &RewriteArgs, error: &RewriteError) -> Failure {
    let nothing = if args.dry_run {
        ""
    } else {
        ". Nothing was written"
    };
    Failure::failed(format!("{}: {error}{nothing}", args.from.display()))
}

/// The file to write: beside its place until it is whole.
struct Target {
    path: PathBuf,
    file: NamedTempFile,
    force: bool,
}

impl Target {
    fn new(args: &RewriteArgs, path: &Path) -> Result<Self, Failure> {
        for (other, name) in [(&args.from, "IN"), (&args.ids, "--ids")] {
            if is_same(other, path) {
                return Err(Failure::usage(format!(
                    "OUT and {name} are the same file; write to another one, look at it, then move it"
                )));
            }
        }
        if path.is_dir() {
            return Err(Failure::usage(format!(
                "{} is a folder; name a file in it",
                path.display()
            )));
        }
        if !args.force && path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            Some(_) | None => Path::new("."),
        };
        let file = tempfile::Builder::new()
            .prefix(".dsr-rewrite-")
            .tempfile_in(folder)
            .map_err(|error| unreadable(folder, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            force: args.force,
        })
    }

    /// Gives the file its name, and the permissions of the one that was read.
    fn keep(self, from: &File) -> Result<PathBuf, Failure> {
        let file = self.file.as_file();
        file.set_permissions(from.metadata()?.permissions())?;
        file.sync_all()?;
        // From here on the result is there, whole.
        let kept = if self.force {
            self.file.persist(&self.path)
        } else {
            self.file.persist_noclobber(&self.path)
        };
        match kept {
            Ok(_) => Ok(self.path),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(exists(&self.path))
            }
            Err(error) => Err(Failure::failed(format!(
                "cannot write {}: {}",
                self.path.display(),
                error.error
            ))),
        }
    }
}

fn exists(path: &Path) -> Failure {
    Failure::conflict(format!(
        "{} exists; choose another name, or replace it: --force",
        path.display()
    ))
}

/// Whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let (Ok(one), Ok(other)) = (one.metadata(), other.metadata()) else {
        return false;
    };
    one.dev() == other.dev() && one.ino() == other.ino()
}

const BUFFER: usize = 256 * 1024;
