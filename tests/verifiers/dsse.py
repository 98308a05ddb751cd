"""Asks PyPI's securesystemslib about DSSE envelopes.

usage: python dsse.py CASES.json; prints a JSON list: "" for accepted, or why not.
"""
import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

cases = json.load(open(sys.argv[1]))
key = SSlibKey.from_crypto(load_pem_public_key(cases["pem"].encode()), keyid=cases["keyid"])


def ask(envelope):
    try:
        Envelope.from_dict(envelope).verify([key], 1)
        return ""
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)


print(json.dumps([ask(envelope) for envelope in cases["envelopes"]]))
