"""One pyftpdlib server with one user, for a lab."""

import argparse

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

options = argparse.ArgumentParser()
options.add_argument("--root", required=True)
options.add_argument("--address", required=True)
options.add_argument("--port", type=int, required=True)
options.add_argument("--user", required=True)
options.add_argument("--password", required=True)
options.add_argument("--passive-address")
options.add_argument("--passive-ports", type=int, nargs=2)
options.add_argument("--permit-foreign", action="store_true")
told = options.parse_args()


class Handler(FTPHandler):
    """The settings of pyftpdlib are attributes of its handler class."""

    authorizer = DummyAuthorizer()
    masquerade_address = told.passive_address
    permit_foreign_addresses = told.permit_foreign
    use_sendfile = False


Handler.authorizer.add_user(told.user, told.password, told.root, perm="elradfmwMT")
if told.passive_ports:
    first, last = told.passive_ports
    Handler.passive_ports = range(first, last + 1)

FTPServer((told.address, told.port), Handler).serve_forever()
