# Verifies a Quittance receipt with OpenSSL 3 and a POSIX shell, without a network.
# Usage: sh verify.sh [receipt [signer.pem log-vkey]]
# Take both keys from the controller's policy. Without them the receipt's own are used: then
# it only agrees with itself, and nobody you named vouches for it.
set -eu
LC_ALL=C
export LC_ALL
receipt=${1:-@FILE@}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "REFUSED: $1" >&2; exit 1; }
sha256() { openssl dgst -sha256 -binary; }
plain() { tr -d '\000-\037' < "$1" | cmp -s - "$1"; }
decode() {
  printf '%s' "$1" | openssl base64 -d -A > "$2" 2> "$work/out" || fail "a part is not Base64"
  [ "$(openssl base64 -A < "$2")" = "$1" ] || fail "a part is not Base64"
}

# 1. The file is one line with exactly the known members, each once, in their order.
[ -r "$receipt" ] || fail "cannot read $receipt"
head -c 1048577 < "$receipt" > "$work/receipt"
[ "$(wc -c < "$work/receipt")" -le 1048576 ] || fail "the file is longer than a receipt can be"
plain "$work/receipt" || fail "the file is not one line: it was saved again, so fetch it again"
base64='\([A-Za-z0-9+/=]*\)'
lines='[^"\\]*\(\\n[^"\\]*\)*'
frame='^{"dsse":{"payload":"'$base64'","payloadType":"application/vnd\.in-toto+json"'
frame=$frame',"signatures":\[{"keyid":"\([0-9a-f]*\)","sig":"'$base64'"}\]}'
frame=$frame',"keys":{"log_vkey":"\([^"\\]*\)","signer_pem":"\('$lines'\)"}'
frame=$frame',"leaf":"'$base64'","policy":"'$lines'","tlog_proof":"\('$lines'\)"'
frame=$frame',"verify":"[^"\\]*\(\\.[^"\\]*\)*","version":1}$'
part() { sed -n "s|$frame|\\$1|p" "$work/receipt"; }
[ -n "$(part 1)" ] || fail "this is not a receipt of version 1 with exactly its members"

# 2. The keys.
case $# in
  0 | 1) printf '%b' "$(part 5)" > "$work/signer.pem"; vkey=$(part 4) ;;
  3) cat "$2" > "$work/signer.pem"; vkey=$3 ;;
  *) fail "give both keys, the signer's file and the log's vkey, or none" ;;
esac
openssl pkey -pubin -in "$work/signer.pem" -pubout -outform DER -out "$work/signer.der" \
  2> "$work/out" || fail "the signer's key cannot be read"
[ "$(openssl dgst -sha256 -r < "$work/signer.der" | head -c 64)" = "$(part 2)" ] \
  || fail "the receipt names another signer's key"

# 3. The signer signed the statement.
decode "$(part 1)" "$work/statement.json"
plain "$work/statement.json" || fail "the statement is not canonical"
decode "$(part 3)" "$work/statement.sig"
length=$(wc -c < "$work/statement.json")
printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$length" > "$work/pae"
cat "$work/statement.json" >> "$work/pae"
openssl dgst -sha256 -verify "$work/signer.pem" -signature "$work/statement.sig" "$work/pae" \
  > "$work/out" 2>&1 || fail "the signer did not sign this statement"

# 4. The log entry is made of this statement, this signature and this key.
printf '%s' '{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":' \
  '{"algorithm":"SHA2_256","digest":"' "$(sha256 < "$work/pae" | openssl base64 -A)" \
  '"},"signature":{"content":"' "$(part 3)" '","verifier":{"keyDetails":' \
  '"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"' \
  "$(openssl base64 -A < "$work/signer.der")" '"}}}}}}' > "$work/leaf.json"
[ "$(openssl base64 -A < "$work/leaf.json")" = "$(part 7)" ] \
  || fail "the log entry is about something else"

# 5. The log signed the checkpoint: nothing of it is used before.
printf '%b' "$(part 9)" > "$work/proof"
[ "$(sed -n 1p "$work/proof")" = 'c2sp.org/tlog-proof@v1' ] || fail "the proof is of another kind"
sed '1,2d;/^$/,$d' "$work/proof" > "$work/path"
sed '1,/^$/d' "$work/proof" > "$work/note"
sed '/^$/,$d' "$work/note" > "$work/checkpoint"
[ "$(sed -n '$=' "$work/checkpoint")" = 3 ] || fail "the checkpoint has not three lines"
origin=$(sed -n 1p "$work/checkpoint")
[ "${vkey%%+*}" = "$origin" ] || fail "the checkpoint is of the log $origin, not ${vkey%%+*}"
decode "${vkey#*+*+}" "$work/log.key"
[ "$(wc -c < "$work/log.key")" -eq 33 ] || fail "the log's key is not an Ed25519 vkey"
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'
  tail -c 32 "$work/log.key"; } > "$work/log.der"
openssl pkey -pubin -inform DER -in "$work/log.der" -out "$work/log.pem" 2> "$work/out" \
  || fail "the log's key is not an Ed25519 vkey"
line=$(sed '1,/^$/d' "$work/note" | head -n 1)
[ "${line% *}" = "— $origin" ] || fail "the first signature is not the log's"
decode "${line##* }" "$work/line"
{ printf '%s\n' "$origin"; cat "$work/log.key"; } | sha256 | head -c 4 > "$work/id"
head -c 4 "$work/line" | cmp -s - "$work/id" || fail "the log signed with another key"
tail -c +5 "$work/line" > "$work/log.sig"
openssl pkeyutl -verify -pubin -inkey "$work/log.pem" -rawin -in "$work/checkpoint" \
  -sigfile "$work/log.sig" > "$work/out" 2>&1 || fail "the log did not sign this checkpoint"

# 6. The entry is in the tree of the checkpoint. Numbers are plain digits before they are used.
number() {
  case $1 in
    '' | *[!0-9]* | 0?* | ?????????????????*) fail "the proof has a number that is none" ;;
  esac
  [ "$1" -le 9007199254740991 ] || fail "the proof has a number that is none"
}
index=$(sed -n '2s/^index //p' "$work/proof")
size=$(sed -n 2p "$work/checkpoint")
number "$index"
number "$size"
[ "$index" -lt "$size" ] || fail "the entry is not in the tree"
at=$index
last=$((size - 1))
{ printf '\000'; cat "$work/leaf.json"; } | sha256 > "$work/hash"
while IFS= read -r sibling; do
  [ "$last" -ne 0 ] || fail "the proof is too long"
  [ "${#sibling}" -eq 44 ] || fail "the proof has a hash that is none"
  decode "$sibling" "$work/sibling"
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

cat "$work/statement.json"
echo
if [ $# -eq 3 ]; then
  echo "Verified OK: your signer stated the above, as entry $index of $origin"
else
  echo "Self-consistent only: the above stands in the file, but nobody you named vouches for it"
fi
