// Asks npm's @sigstore/verify about bundles.
// usage: node sigstore.cjs NODE_MODULES CASES.json; prints a JSON list: "" for accepted, or why not.
const path = require("node:path");
const fs = require("node:fs");
const { createRequire } = require("node:module");
const [modules, cases] = process.argv.slice(2);
const from = createRequire(path.join(modules, "none.js"));
const { Verifier, toSignedEntity, toTrustMaterial } = from("@sigstore/verify");
const { bundleFromJSON } = createRequire(from.resolve("@sigstore/verify"))("@sigstore/bundle");
const { TrustedRoot } = createRequire(from.resolve("@sigstore/verify"))("@sigstore/protobuf-specs");

const { bundles, log, signer, authority } = JSON.parse(fs.readFileSync(cases, "utf8"));
const root = TrustedRoot.fromJSON({
  mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
  tlogs: [{
    baseUrl: `https://${log.name}`,
    hashAlgorithm: "SHA2_256",
    publicKey: { rawBytes: log.spki, keyDetails: "PKIX_ED25519" },
    logId: { keyId: log.id },
  }],
  certificateAuthorities: [], ctlogs: [],
  // The authority that must have stamped the signature, from the signer's certificate on; if none, no time is asked for.
  timestampAuthorities: !authority ? [] : [{
    subject: { organization: "", commonName: "" },
    uri: "",
    certChain: { certificates: authority.map((rawBytes) => ({ rawBytes })) },
    validFor: { start: "2020-01-01T00:00:00Z" },
  }],
});
const keys = { [signer.id]: { rawBytes: Buffer.from(signer.spki, "base64") } };
const trust = toTrustMaterial(root, (hint) => {
  if (!keys[hint]) throw new Error(`no key ${hint}`);
  const key = require("node:crypto").createPublicKey({ key: keys[hint].rawBytes, format: "der", type: "spki" });
  return { publicKey: key, validFor: () => true };
});
const verifier = new Verifier(trust, { ctlogThreshold: 0, timestampThreshold: authority ? 1 : 0, tlogThreshold: 1 });
console.log(JSON.stringify(bundles.map(({ bundle, artifact }) => {
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(bundle)), Buffer.from(artifact, "base64")));
    return "";
  } catch (error) {
    return `${error.code ?? error.name}: ${error.message}`;
  }
})));
