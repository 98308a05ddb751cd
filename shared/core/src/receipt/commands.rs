//! The shell commands, inside every receipt, that verify it with nothing but `openssl`.
//!
//! The text is a function of the receipt's file name; a verifier makes it again and compares, so
//! nobody can slip other commands into a receipt. It needs a POSIX `sh`, `sed`, `head`, `tail`,
//! `grep`, `cat`, `wc` and OpenSSL 3.

/// Returns the commands for a receipt of this name.
pub fn verify_commands(file_name: &str) -> String {
    TEMPLATE.replace("@FILE@", file_name)
}

/// Pairs of single quotes keep the shell from touching the patterns; the receipt is one line of JSON
/// with sorted keys, so a pattern can find a value. No pattern finds this text itself, because
/// inside a JSON string its quotes are escaped.
const TEMPLATE: &str = r#"# Verifies a Quittance receipt with OpenSSL 3 and a POSIX shell, without a network.
# Usage: sh verify.sh [receipt [signer.pem [log-vkey]]]
# Without the last two it uses the keys inside the receipt: then it shows only that the
# receipt agrees with itself. Take both keys from the controller's policy instead.
set -eu
receipt=${1:-@FILE@}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "REFUSED: $1" >&2; exit 1; }
text() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' "$receipt"; }
sha256() { openssl dgst -sha256 -binary; }

# 1. The statement and its signature.
text payload | openssl base64 -d -A > "$work/statement.json"
text sig | openssl base64 -d -A > "$work/statement.sig"
printf '%b' "$(text signer_pem)" > "$work/signer.pem"
if [ $# -ge 2 ]; then cat "$2" > "$work/signer.pem"; fi
length=$(wc -c < "$work/statement.json")
printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$length" > "$work/pae"
cat "$work/statement.json" >> "$work/pae"
openssl dgst -sha256 -verify "$work/signer.pem" -signature "$work/statement.sig" "$work/pae" \
  > "$work/out" 2>&1 || fail "the signer did not sign this statement"

# 2. The log entry is about this statement and this signature.
text leaf | openssl base64 -d -A > "$work/leaf.json"
digest=$(sha256 < "$work/pae" | openssl base64 -A)
grep -qF '"data":{"algorithm":"SHA2_256","digest":"'"$digest"'"}' "$work/leaf.json" \
  || fail "the log entry is about another statement"
grep -qF '"content":"'"$(text sig)"'"' "$work/leaf.json" \
  || fail "the log entry has another signature"

# 3. The entry is in the tree of the checkpoint.
printf '%b' "$(text tlog_proof)" > "$work/proof"
sed -n 's/^index //p' "$work/proof" | head -n 1 > "$work/index"
sed '1,/^index /d;/^$/,$d' "$work/proof" > "$work/path"
sed '1,/^$/d' "$work/proof" > "$work/note"
sed '/^$/,$d' "$work/note" > "$work/checkpoint"
at=$(cat "$work/index")
last=$(($(sed -n 2p "$work/checkpoint") - 1))
if [ "$at" -gt "$last" ]; then fail "the entry is not in the tree"; fi
{ printf '\000'; cat "$work/leaf.json"; } | sha256 > "$work/hash"
while read -r sibling; do
  if [ "$last" -eq 0 ]; then fail "the proof is too long"; fi
  printf '%s' "$sibling" | openssl base64 -d -A > "$work/sibling"
  if [ $((at & 1)) -eq 1 ] || [ "$at" -eq "$last" ]; then
    { printf '\001'; cat "$work/sibling" "$work/hash"; } | sha256 > "$work/node"
    while [ $((at & 1)) -eq 0 ]; do at=$((at >> 1)); last=$((last >> 1)); done
  else
    { printf '\001'; cat "$work/hash" "$work/sibling"; } | sha256 > "$work/node"
  fi
  cat "$work/node" > "$work/hash"
  at=$((at >> 1)); last=$((last >> 1))
done < "$work/path"
root=$(openssl base64 -A < "$work/hash")
if [ "$last" -ne 0 ] || [ "$root" != "$(sed -n 3p "$work/checkpoint")" ]; then
  fail "the proof does not lead to the checkpoint's root"
fi

# 4. The log signed the checkpoint.
vkey=${3:-$(text log_vkey)}
[ "${vkey%%+*}" = "$(sed -n 1p "$work/checkpoint")" ] || fail "the checkpoint is of another log"
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'
  printf '%s' "${vkey#*+*+}" | openssl base64 -d -A | tail -c 32; } > "$work/log.der"
openssl pkey -pubin -inform DER -in "$work/log.der" -out "$work/log.pem"
sed '1,/^$/d' "$work/note" | head -n 1 | sed 's/^.* //' | openssl base64 -d -A \
  | tail -c 64 > "$work/log.sig"
openssl pkeyutl -verify -pubin -inkey "$work/log.pem" -rawin -in "$work/checkpoint" \
  -sigfile "$work/log.sig" > "$work/out" 2>&1 || fail "the log did not sign this checkpoint"

echo "Verified OK"
"#;
