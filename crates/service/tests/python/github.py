"""A stand-in for GitHub's secret scanning: serves public keys on loopback and signs alerts."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class GitHub:
    """The keys by identifier, and the number of fetches."""

    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.keys = {"current": public(self.private)}
        self.fetches = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.fetches += 1
                body = json.dumps(outer.document()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.listener.server_port}/keys"

    def document(self):
        """Returns the keys in GitHub's format."""
        return {
            "public_keys": [
                {"key_identifier": name, "key": key, "is_current": name == "current"}
                for name, key in self.keys.items()
            ]
        }

    def __enter__(self):
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown()
        self.listener.server_close()

    def headers(self, body, private=None, identifier="current"):
        """Returns the headers of a signed alert."""
        signature = (private or self.private).sign(body, ec.ECDSA(hashes.SHA256()))
        return signed(identifier, base64.b64encode(signature).decode())


def signed(identifier, signature):
    """Returns the headers with a given signature."""
    return {
        "Content-Type": "application/json",
        "Github-Public-Key-Identifier": identifier,
        "Github-Public-Key-Signature": signature,
    }


def public(private):
    """Returns the public key of a private key, as PEM."""
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def digest(token):
    """Returns the hash by which feedback identifies a token."""
    return base64.b64encode(hashlib.sha256(token.encode()).digest()).decode()


def alert(*tokens):
    """Returns the body of an alert."""
    entries = [
        {"token": token, "type": "ddpatrol_pat", "url": f"https://example.com/{n}", "source": "commit"}
        for n, token in enumerate(tokens)
    ]
    return json.dumps(entries).encode()
