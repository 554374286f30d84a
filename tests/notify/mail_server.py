"""A mail server for tests: aiosmtpd, which keeps what it gets.

    mail_server.py serve FOLDER [starttls|implicit CERTIFICATE KEY] [account USER PASSWORD] [everywhere - -]
    mail_server.py read FILE

serve listens on 127.0.0.1 ("everywhere": on all of this machine's addresses) and prints its port. Each mail that comes is FOLDER/N.eml, from 1 on; whom it is for,
FOLDER/N.to. FOLDER/say, while it is there, says what to answer: a line "rcpt 451 try later", "mail 421 bye",
"data 552 too large", "data silent" (the mail is kept and never answered) or "data cut" (the connection ends instead).
FOLDER/sessions grows by a byte for each connection.
read prints a mail as JSON, as Python's email module understands it.
"""
import asyncio
import email
import email.policy
import json
import os
import ssl
import sys


def read(file):
    with open(file, "rb") as stream:
        mail = email.message_from_binary_file(stream, policy=email.policy.default)
    parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    print(json.dumps({
        "headers": {name.lower(): str(value) for name, value in mail.items()},
        "names": [name for name in mail.keys()],
        "types": [part.get_content_type() for part in mail.walk()],
        "defects": [repr(defect) for part in mail.walk() for defect in part.defects],
        "text": parts.get("text/plain"),
        "html": parts.get("text/html"),
    }))


class Handler:
    def __init__(self, folder):
        self.folder = folder
        self.mails = 0

    def said(self, when):
        try:
            with open(os.path.join(self.folder, "say")) as lines:
                for line in lines:
                    verb, _, answer = line.strip().partition(" ")
                    if verb == when:
                        return answer
        except FileNotFoundError:
            pass
        return None

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return self.said("mail") or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.said("rcpt")
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.said("data")
        if answer in (None, "silent", "cut"):
            self.mails += 1
            name = os.path.join(self.folder, str(self.mails))
            with open(name + ".to", "w") as stream:
                stream.write("\n".join([envelope.mail_from, *envelope.rcpt_tos]))
            with open(name + ".new", "wb") as stream:
                stream.write(envelope.content)
            os.rename(name + ".new", name + ".eml")
        if answer == "silent":
            await asyncio.Event().wait()
        if answer == "cut":
            server.transport.abort()
            return "250 nobody hears this"
        return answer or "250 OK"


def serve(folder, words):
    from aiosmtpd.smtp import SMTP, AuthResult

    options = {}
    implicit = None
    host = "127.0.0.1"
    while words:
        what, first, second, *words = words
        if what == "account":
            def check(server, session, envelope, mechanism, data, name=first, password=second):
                right = data.login == name.encode() and data.password == password.encode()
                return AuthResult(success=right, handled=False)
            options.update(authenticator=check, auth_required=True)
            continue
        if what == "everywhere":
            host = "0.0.0.0"
            continue
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(first, second)
        if what == "implicit":
            implicit = context
            options.update(auth_require_tls=False)  # it does not see that it stands inside TLS
        else:
            options.update(tls_context=context, require_starttls=True)
    if "tls_context" not in options:
        options.update(auth_require_tls=False)
    handler = Handler(folder)

    class Counting(SMTP):
        def connection_made(self, transport):
            with open(os.path.join(folder, "sessions"), "a") as stream:
                stream.write(".")
            super().connection_made(transport)

    async def run():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Counting(handler, hostname="localhost", loop=loop, **options),
                                          host, 0, ssl=implicit)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(sys.argv[2])
    else:
        serve(sys.argv[2], sys.argv[3:])
