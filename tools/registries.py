"""Where the archive of a pin lies: asked of the package index that pip is set to use, or of npm's
registry. Neither is named here, so that a mirror is used wherever one is configured.
"""

import json
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request

TIMEOUT_S = 60


class Failed(Exception):
    """Something that the person at the keyboard has to know; printed without a traceback."""


def pip_settings():
    """What pip would use: its environment first, then the user's file, then the machine's."""
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    settings = {}
    rank, best = {":env:": 3, "install": 2, "global": 1}, {}
    for line in shown.stdout.splitlines():
        name, _, value = line.partition("=")
        scope, _, key = name.partition(".")
        weight = rank.get(scope, 0)
        if weight >= best.get(key, 0):
            best[key] = weight
            settings[key] = value.strip().strip("'\"")
    return settings


def index_urls(settings):
    if "index-url" in settings:
        urls = [settings["index-url"]]
    else:
        asked = subprocess.run(
            [sys.executable, "-c",
             "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"],
            capture_output=True, text=True)
        if asked.returncode != 0:
            raise Failed("no package index: pip is missing (apt-get install python3-pip)")
        urls = [asked.stdout.strip()]
    return urls + settings.get("extra-index-url", "").replace("\\n", " ").split()


def opener_for(settings):
    context = ssl.create_default_context()
    if settings.get("cert"):
        context.load_verify_locations(settings["cert"])
    handlers = [urllib.request.HTTPSHandler(context=context)]
    if settings.get("proxy"):
        handlers.append(urllib.request.ProxyHandler(
            {"http": settings["proxy"], "https": settings["proxy"]}))
    return urllib.request.build_opener(*handlers)


def request(url, headers):
    """A request for `url`; a name and password inside it become a header, as pip does it."""
    parts = urllib.parse.urlsplit(url)
    made = urllib.request.Request(url, headers=headers)
    if parts.username:
        import base64
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        made = urllib.request.Request(urllib.parse.urlunsplit(bare), headers=headers)
        made.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    return made


def npm_settings(npm):
    """What npm would use, in pip's words. `npm` is its command: npm alone knows its default registry."""
    asked = subprocess.run([*npm, "config", "get", "registry", "cafile", "https-proxy"], capture_output=True, text=True)
    told = dict(line.partition("=")[::2] for line in asked.stdout.splitlines())
    if not told.get("registry"):
        raise Failed(f"npm does not say which registry it uses: {asked.stderr.strip()[-300:]}")
    words = {"registry": "registry", "cafile": "cert", "https-proxy": "proxy"}
    return {words[key]: value for key, value in told.items() if key in words and value not in ("", "null", "undefined")}


def read_page(opener, address, accepted):
    """Content type, bytes, and where they came from in the end."""
    with opener.open(request(address, {"Accept": accepted}), timeout=TIMEOUT_S) as reply:
        return reply.headers.get_content_type(), reply.read(), reply.geturl()


def locate(pin, settings, opener):
    """The address of the pinned archive. `settings` are of pip or npm, as the pin's kind says."""
    return (locate_npm if pin["kind"] == "npm" else locate_python)(pin, settings, opener)


def locate_npm(pin, settings, opener):
    name = urllib.parse.quote(pin["package"], safe="@")
    page = f"{settings['registry'].rstrip('/')}/{name}/{pin['version']}"
    try:
        _, body, base = read_page(opener, page, "application/json")
        address = urllib.parse.urljoin(base, json.loads(body)["dist"]["tarball"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failed(f"{page}: {error}\nSet npm's registry") from None
    if urllib.parse.urlsplit(address).path.rpartition("/")[2] != pin["archive"]:
        raise Failed(f"{page}: does not list {pin['archive']}\nSet npm's registry")
    return address


def locate_python(pin, settings, opener):
    """In the first index that lists it."""
    tried = []
    for index in index_urls(settings):
        page = f"{index.rstrip('/')}/{pin['package']}/"
        try:
            kind, body, base = read_page(opener, page, "application/vnd.pypi.simple.v1+json, text/html;q=0.2")
        except OSError as error:
            tried.append(f"{page}: {error}")
            continue
        for name, address in listed(kind, body):
            if name == pin["archive"]:
                return urllib.parse.urljoin(base, address).partition("#")[0]
        tried.append(f"{page}: does not list {pin['archive']}")
    raise Failed(f"{pin['archive']} was not found in the package index:\n  " + "\n  ".join(tried)
                 + "\nSet pip's index-url")


def listed(kind, body):
    if kind.endswith("json"):
        return [(file["filename"], file["url"]) for file in json.loads(body)["files"]]
    import html.parser

    class Links(html.parser.HTMLParser):
        def __init__(self):
            super().__init__()
            self.found = []

        def handle_starttag(self, tag, attributes):
            address = dict(attributes).get("href")
            if tag == "a" and address:
                path = urllib.parse.urlsplit(address).path
                self.found.append((urllib.parse.unquote(path.rpartition("/")[2]), address))

    links = Links()
    links.feed(body.decode("utf-8", "replace"))
    return links.found
