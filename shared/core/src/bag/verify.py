#!/usr/bin/env python3
"""Checks Quittance's evidence with Python 3.8 and the openssl program; no network, no packages.

    python3 verify.py BAG [POLICY]           a whole bag: digests, log, receipts, manifests
    python3 verify.py FILE.receipt.json POLICY        one receipt

Take POLICY from somebody you trust. Without one, the bag's own is used, and the bag is only found
to agree with itself. The formats are told in docs/RECEIPT.md of Quittance's sources.
"""
import base64, hashlib, json, os, re, subprocess, sys, tempfile

def need(holds, why):
    if not holds:
        sys.exit("REFUSED: " + why)

def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()

def b64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "a part is not Base64")
    return data

def sha(data):
    return hashlib.sha256(data).digest()

def leaf_hash(entry):
    return sha(b"\0" + entry)

def root(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else sha(b"")
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\1" + root(hashes[:k]) + root(hashes[k:]))

def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

def signed(der, message, signature, *more):
    """Whether openssl finds this signature good."""
    with tempfile.TemporaryDirectory() as d:
        for name, data in (("k", der), ("m", message), ("s", signature)):
            with open(os.path.join(d, name), "wb") as file:
                file.write(data)
        at = lambda name: os.path.join(d, name)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", at("k"),
                   "-rawin", *more, "-in", at("m"), "-sigfile", at("s")]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

def ed25519(key, message, signature):
    return signed(bytes.fromhex("302a300506032b6570032100") + key, message, signature)

def vkey(text):
    name, kid, key = text.split("+", 2)
    key = b64(key)
    need(sha(name.encode() + b"\n" + key)[:4].hex() == kid, "a key's id is not its own: " + name)
    return name, bytes.fromhex(kid), key[1:]

class Policy:
    def __init__(self, text):
        self.logs, self.witnesses, self.groups, self.signers, self.quorum, self.seen = {}, {}, {}, {}, None, {}
        self.withdrawn = []
        for words in (line.split() for line in text.splitlines()):
            if words[:1] == ["log"]:
                self.trust(vkey(words[1]))
            elif words[:1] == ["witness"]:
                self.witnesses[words[1]] = vkey(words[2])
            elif words[:1] == ["group"]:
                self.groups[words[1]] = words[2:]
            elif words[:1] == ["quorum"]:
                self.quorum = words[1]
            elif words[:2] == ["#", "quittance-signer"]:
                self.signers[sha(b64(words[4])).hex()] = b64(words[4])
            elif words[:2] == ["#", "quittance-withdrawn-log"]:
                self.withdrawn.append(vkey(words[2]))

    def trust(self, log):
        """A log that changes its key stands there with several."""
        self.logs.setdefault(log[0], []).append(log)

    def look_back(self):
        """For what lies in a log that was opened: it may be older than the log's key."""
        for log in self.withdrawn:
            self.trust(log)

    def met(self, name, cosigned):
        if name == "none" or name in cosigned:
            return True
        count, *members = self.groups.get(name, ["1"])
        wanted = {"all": len(members), "any": 1}.get(count) or int(count)
        return sum(self.met(member, cosigned) for member in members) >= wanted

    def checkpoint(self, note):
        """Opens a checkpoint: its log's name, size and root, and whether the quorum is met."""
        if note not in self.seen:
            text, _, lines = note.partition("\n\n")
            text, (origin, size, root64) = text + "\n", text.split("\n")
            need(origin in self.logs, "the checkpoint is of another log: " + origin)
            lines = [re.fullmatch("— (\\S+) (\\S+)", line).groups() for line in lines.splitlines()]
            lines = [(name, b64(data)) for name, data in lines]
            made = lambda key: [data[4:] for name, data in lines if (name, data[:4]) == key[:2]]
            logs, cosigned = self.logs[origin], set()
            need(any(ed25519(log[2], text.encode(), s) for log in logs for s in made(log)), "the log did not sign its checkpoint")
            for name, witness in self.witnesses.items():
                if len(witness[2]) != 32:
                    continue  # ML-DSA-44, which only the newest openssl knows: left to dsr.
                for data in made(witness):
                    head = "cosignature/v1\ntime %d\n" % int.from_bytes(data[:8], "big")
                    need(ed25519(witness[2], (head + text).encode(), data[8:]), "a cosignature is not " + name + "'s")
                    cosigned.add(name)
            self.seen[note] = origin, int(size), b64(root64), self.met(self.quorum, cosigned)
        return self.seen[note]

def receipt(data, policy):
    """Verifies a receipt; returns its statement, index, leaf hash, and whether the quorum is met."""
    file = json.loads(data)
    need(canonical(file) == data and file["version"] == 1, "the file is not canonical")
    envelope = file["dsse"]
    payload, (signature,) = b64(envelope["payload"]), envelope["signatures"]
    need(envelope["payloadType"] == "application/vnd.in-toto+json", "the payload is of another type")
    statement = json.loads(payload)
    need(canonical(statement) == payload, "the statement is not canonical")
    need(signature["keyid"] in policy.signers, "the policy has no such signer: " + signature["keyid"])
    der, sig = policy.signers[signature["keyid"]], signature["sig"]
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    need(signed(der, pae, b64(sig), "-digest", "sha256"), "the signer did not sign this statement")
    b = lambda raw: base64.b64encode(raw).decode()
    entry = canonical({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
        "data": {"algorithm": "SHA2_256", "digest": b(sha(pae))},
        "signature": {"content": sig, "verifier": {
            "keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": {"rawBytes": b(der)}}}}}})
    need(entry == b64(file["leaf"]), "the log entry is about something else")
    head, _, note = file["tlog_proof"].partition("\n\n")
    kind, index, *path = head.split("\n")
    need(kind == "c2sp.org/tlog-proof@v1" and re.fullmatch("index (0|[1-9][0-9]*)", index), "the proof is none")
    origin, size, root_hash, met = policy.checkpoint(note)
    index = at = int(index[6:])
    last, node = size - 1, leaf_hash(entry)
    need(index < size, "the entry is not in the tree")
    for sibling in map(b64, path):
        need(last > 0, "the proof is too long")
        if at & 1 or at == last:
            node = sha(b"\1" + sibling + node)
            while not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = sha(b"\1" + node + sibling)
        at, last = at >> 1, last >> 1
    need(last == 0 and node == root_hash, "the proof does not lead to the checkpoint's root")
    return statement, index, leaf_hash(entry), met

def entries(log, size):
    """Reads the hashes of a log's entries from its bundles."""
    hashes = []
    for n in range((size + 255) // 256):
        name = "".join("x%03d/" % (n // 1000 ** k % 1000) for k in range(3, 0, -1) if n >= 1000 ** k)
        width = min(256, size - 256 * n)
        data = read(log, "tile", "entries", name + "%03d" % (n % 1000) + (".p/%d" % width if width < 256 else ""))
        while data:
            length = int.from_bytes(data[:2], "big")
            hashes.append(leaf_hash(data[2:2 + length]))
            data = data[2 + length:]
    need(len(hashes) == size, "the log has not as many entries as its checkpoint says")
    return hashes

def account(manifests, hashes):
    """Follows the manifests: every entry stands in one of them, and nothing leaves but by an outcome."""
    done, previous, open_lines = 0, None, {}
    for statement, index in manifests:
        says = statement["predicate"]
        size = says["checkpoint"]["size"]
        need(says.get("previous") == previous and done <= size <= index, "a manifest is missing before " + says["day"])
        need(says["checkpoint"]["root"] == root(hashes[:size]).hex(), "a manifest is of another tree: " + says["day"])
        told = [previous] * (previous is not None) + [a["leaf_index"] for a in says["amendments"]]
        for line in says["lines"]:
            if line["leaf_index"] >= done:
                told.append(line["leaf_index"])
            else:
                known = open_lines.get(line["leaf_index"], {})
                need(all(known.get(k) == line[k] for k in ("right", "accepted_at")), "a manifest contradicts another")
            open_lines[line["leaf_index"]] = line
            if "outcome_leaf" in line:
                told.append(line["outcome_leaf"])
                del open_lines[line["leaf_index"]]
        need(sorted(told) == list(range(done, size)), "a request may have been dropped: see the manifest of " + says["day"])
        held = [leaf_hash(canonical(open_lines[leaf])) for leaf in sorted(open_lines)]
        need(says["open_count"] == len(held) and says["open_root"] == root(held).hex(), "an open request vanished: " + says["day"])
        done, previous = size, index
    return done, len(open_lines)

def main(what, given=None):
    if os.path.isfile(what):
        statement, index, _, met = receipt(read(what), Policy(read(given).decode()))
        need(met, "too few witnesses cosigned the checkpoint")
        print("verified: entry %d: %s" % (index, statement["subject"][0]["name"]))
        return
    for listed in read(what, "manifest-sha256.txt").decode().splitlines():
        digest, path = listed.split("  ", 1)
        need(sha(read(what, path)).hex() == digest, path + " is not what was put into the bag")
    data = os.path.join(what, "data")
    policy = Policy(read(given or os.path.join(data, "policy")).decode())
    _, size, root_hash, met = policy.checkpoint(read(data, "log", "checkpoint").decode())
    hashes = entries(os.path.join(data, "log"), size)
    need(root(hashes) == root_hash, "the log's entries do not give its root")
    need(met, "too few witnesses cosigned the log's checkpoint")
    policy.look_back()
    folders = {"receipts": [], os.path.join("log", "manifests"): []}
    for folder, found in folders.items():
        for name in sorted(os.listdir(os.path.join(data, folder))):
            statement, index, leaf, _ = receipt(read(data, folder, name), policy)
            need(index < size and hashes[index] == leaf, name + " is not in this log")
            found.append((statement, index))
    manifests = sorted(folders.popitem()[1], key=lambda found: found[0]["predicate"]["day"])
    done, still_open = account(manifests, hashes)
    print("%d receipts and %d manifests verified; %d of %d entries accounted for, %d requests open"
          % (len(folders["receipts"]), len(manifests), done, size, still_open))
    print("verified under your policy" if given else "self-consistent only: nobody you named vouches for it")

if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or (os.path.isfile(sys.argv[1]) and len(sys.argv) == 2):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError) as error:
        sys.exit("REFUSED: it cannot be read: %r" % error)
