"""libtorrent's side of the peer-large benchmark, one session to a process.

    seed FILE TORRENT       writes the metadata, seeds, prints "ready PORT" and stays until its input ends
    leech TORRENT DIR PORT  prints "ready"; for one line of input fetches the file from that port of 127.0.0.1, prints
                            the seconds from there as JSON, and ends

Both run with libtorrent's own settings for speed, TCP only, no limits, no discovery.
"""
import json
import os
import sys
import time

import libtorrent as lt

PIECE = 1 << 20
LONGEST_S = 120


def session():
    settings = lt.high_performance_seed()
    settings.update(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_incoming_utp": False,
            "enable_outgoing_utp": False,
            "allow_multiple_connections_per_ip": True,
            "upload_rate_limit": 0,
            "download_rate_limit": 0,
            "unchoke_slots_limit": -1,
            "max_out_request_queue": 2000,
            "max_allowed_in_request_queue": 4000,
            "alert_mask": lt.alert.category_t.status_notification
            | lt.alert.category_t.storage_notification
            | lt.alert.category_t.error_notification,
        }
    )
    return lt.session(settings)


def wait(ses, kind, done=lambda: False):
    """Until such an alert comes or done() holds; an alert also ends each wait early."""
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        if done():
            return
        ses.wait_for_alert(5)
        for alert in ses.pop_alerts():
            if isinstance(alert, lt.torrent_error_alert):
                sys.exit(alert.message())
            if isinstance(alert, kind):
                return
    sys.exit("libtorrent: nothing happened for %d s" % LONGEST_S)


def seed(path, torrent):
    storage = lt.file_storage()
    lt.add_files(storage, path)
    created = lt.create_torrent(storage, PIECE, flags=lt.create_torrent.v1_only)
    lt.set_piece_hashes(created, os.path.dirname(path))
    with open(torrent, "wb") as file:
        file.write(lt.bencode(created.generate()))
    ses = session()
    params = {"ti": lt.torrent_info(torrent), "save_path": os.path.dirname(path)}
    params["flags"] = lt.torrent_flags.seed_mode | lt.torrent_flags.upload_mode
    handle = ses.add_torrent(params)
    handle.unset_flags(lt.torrent_flags.upload_mode)
    while ses.listen_port() == 0:
        time.sleep(0.01)
    print("ready %d" % ses.listen_port(), flush=True)
    sys.stdin.read()


def leech(torrent, directory, port):
    ses = session()
    info = lt.torrent_info(torrent)
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.monotonic()
    flags = lt.torrent_flags.default_flags & ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = ses.add_torrent({"ti": info, "save_path": directory, "flags": flags})
    handle.connect_peer(("127.0.0.1", port))
    wait(ses, lt.torrent_finished_alert)
    verified = time.monotonic() - start
    handle.flush_cache()
    wait(ses, lt.cache_flushed_alert)
    fd = os.open(os.path.join(directory, info.files().file_path(0)), os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    on_disk = time.monotonic() - start
    print(json.dumps({"verified": verified, "on_disk": on_disk}), flush=True)


if sys.argv[1] == "seed":
    seed(sys.argv[2], sys.argv[3])
else:
    leech(sys.argv[2], sys.argv[3], int(sys.argv[4]))
