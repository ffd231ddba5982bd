"""One session with Python's ftplib, for a lab."""

import argparse
import ftplib
import sys


class Client(ftplib.FTP):
    """An ftplib client that uses the words it is told to."""

    # Newer versions ignore the address in 227, which would hide that it was wrong.
    trust_server_pasv_ipv4_address = True

    def sendport(self, host, port):
        if told.mode == "eprt":
            return self.sendeprt(host, port)
        return super().sendport(host, port)

    def makepasv(self):
        if told.mode == "epsv":
            return ftplib.parse229(self.sendcmd("EPSV"), self.sock.getpeername())
        return super().makepasv()


options = argparse.ArgumentParser()
options.add_argument("--address", required=True)
options.add_argument("--port", type=int, required=True)
options.add_argument("--user", required=True)
options.add_argument("--password", required=True)
options.add_argument("--timeout", type=float, required=True)
options.add_argument("--mode", choices=["port", "eprt", "pasv", "epsv"], required=True)
options.add_argument("--times", type=int, default=1)
options.add_argument("verb", choices=["get", "put", "list"])
options.add_argument("source", nargs="?")
options.add_argument("target", nargs="?")
told = options.parse_args()

with Client() as ftp:
    ftp.set_debuglevel(1)
    sys.stdout = sys.stderr  # where ftplib's debug output goes
    ftp.connect(told.address, told.port, timeout=told.timeout)
    ftp.login(told.user, told.password)
    ftp.set_pasv(told.mode in ("pasv", "epsv"))
    if told.verb == "list":
        ftp.retrlines("LIST", lambda line: print(line, file=sys.__stdout__))
    elif told.verb == "put":
        with open(told.source, "rb") as source:
            ftp.storbinary(f"STOR {told.target}", source)
    else:
        with open(told.target, "wb") as target:
            for _ in range(told.times):
                ftp.retrbinary(f"RETR {told.source}", target.write)
                where = ftp.pwd()
                if where != "/":
                    sys.exit(f"PWD said {where}")
