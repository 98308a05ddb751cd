"""Translates a SAM template into plain CloudFormation: template.yaml into translated.json, witness.yaml into witness.json.

Reached through infra/check, which installs what it needs. Nothing is asked of AWS: the two managed policies that
the translator would look up there are never used, because every function has a role of its own.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.public.translator import ManagedPolicyLoader  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402


class NoManagedPolicies(ManagedPolicyLoader):
    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


HERE = pathlib.Path(__file__).parent
# Deploys the same in every region and partition, so that translating needs no account.
PARAMETERS = {"AWS::Region": "us-east-1", "AWS::Partition": "aws"}

template = yaml_parse((HERE / sys.argv[1]).read_text(encoding="utf-8"))
translated = transform(template, PARAMETERS, NoManagedPolicies())
json.dump(translated, sys.stdout, indent=1, sort_keys=True)
sys.stdout.write("\n")
