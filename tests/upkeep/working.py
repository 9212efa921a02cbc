"""`gongji work` where regions have rules that no file of theirs states today: a program that tests
start. Its arguments are the folder of the rules, and --once.

Rule: jobs, keys, clock and database are those of `gongji work`; only the rules are the test's.
"""

import json
import signal
import sys
from pathlib import Path

from gongji_svc import logs, regions
from gongji_svc.config import Config
from gongji_svc.services.office import Office
from gongji_svc.services.tax_endpoint import configured_endpoint
from gongji_svc.storage.database import Database
from gongji_svc.storage.keyfile import own_keys
from gongji_svc.storage.sealing import Sealer
from gongji_svc.upkeep import work_once, working


def main(folder: str, *how: str) -> None:
    """Once, with what was done by job as JSON; else until it is killed."""
    logs.configure("work")
    config = Config.from_environment()
    rules, sealer, tax = regions.load(Path(folder)), Sealer(own_keys(config)), configured_endpoint
    with Database.open(config) as database:
        office = Office(database, rules, sealer, seal_file=config.seal_file, tax=tax(config))
        if how == ("--once",):
            sys.stdout.write(json.dumps(work_once(office)))
            return
        with working(office):
            signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
