#!/usr/bin/env python3
"""Writes the seeds of fuzz targets of importers, servers' answers and the spool: fuzz/make_corpus.py (from the checkout's root). All content is made
up here. The first byte of each seed is the choice that its target reads."""
import gzip
import io
import lzma
import pathlib
import struct
import zipfile
import zlib

ROOT = pathlib.Path(__file__).parent / "corpus"


def put(target, name, choice, content):
    folder = ROOT / target
    folder.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(bytes([choice]) + data)


def rows(form, count=4):
    out = []
    for i in range(count):
        price = 1.1 + i / 1e4
        out.append(form.format(i=i, o=price, h=price + 3e-5, l=price - 3e-5, c=price + 1e-5, a=price + 2e-5))
    return "".join(out)


def alone(data):
    return lzma.compress(data, format=lzma.FORMAT_ALONE)


def zipped(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


csv = "time,open,high,low,close,volume\n" + rows("2019-01-07T0{i}:00:00Z,{o:.5f},{h:.5f},{l:.5f},{c:.5f},7\n")
histdata = rows("20190107 0{i}0000;{o:.6f};{h:.6f};{l:.6f};{c:.6f};0\n")
ticks = rows("20190107 0{i}0000065,{o:.6f},{a:.6f},0\n")
lean = rows("{i}60000,{o:.5f},{h:.5f},{l:.5f},{c:.5f},0,{a:.5f},{h:.5f},{l:.5f},{a:.5f},0\r\n")
mt5 = ("<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
       + rows("2019.01.07\t0{i}:00:00\t{o:.5f}\t{h:.5f}\t{l:.5f}\t{c:.5f}\t5\t0\t12\n"))
truefx = rows("EUR/USD,20190107 0{i}:00:00.295,{o:.5f},{a:.5f}\n")
export = "Gmt time,Open,High,Low,Close,Volume\n" + rows("07.01.2019 0{i}:00:00.000,{o:.5f},{h:.5f},{l:.5f},{c:.5f},9.5\n")
days = "Date;Open;High;Low;Close\n" + rows("2019-01-0{i};{o:.5f};{h:.5f};{l:.5f};{c:.5f}\n").replace(".", ",")
tick_records = b"".join(struct.pack(">IIIff", i * 1000, 110010 + i, 110000 + i, 1.5, 2.25) for i in range(5))
candle_records = b"".join(struct.pack(">IIIIIf", i * 60, 110000, 110001, 109990, 110010, 3.5 if i else 0) for i in range(5))
json_ticks = ('{"timestamp":1546819200000,"multiplier":1.0E-5,"ask":1.1001,"bid":1.1,"times":[5,100],"asks":[0,1],'
              '"bids":[0,1],"askVolumes":[1,1],"bidVolumes":[1,1]}')
json_candles = ('{"timestamp":1546819200000,"multiplier":1.0E-5,"open":1.1,"high":1.2,"low":1.0,"close":1.1,"shift":60000,'
                '"times":[0,1],"opens":[0,1],"highs":[0,0],"lows":[0,0],"closes":[0,-1],"volumes":[1,2.5]}')

for name, choice, content in [
        ("csv", 0, csv), ("histdata", 32 + 16, histdata), ("ticks", 32 + 16, ticks), ("lean", 1, lean), ("lean_ticks", 17, rows("{i}60000.0,{o:.5f},{a:.5f}\r\n")),
        ("metatrader", 32, mt5), ("truefx", 16, truefx), ("export_ask", 2, export), ("days", 128, days),
        ("gzip", 0, gzip.compress(csv.encode(), mtime=0)), ("zip", 0, zipped("a.csv", csv)), ("utf16", 0, csv.encode("utf-16")),
        ("bi5_ticks", 3 + 16, alone(tick_records)), ("bi5_candles", 4, alone(candle_records)), ("json", 16, json_ticks)]:
    put("import", name, choice, content)
for name, choice, content in [("ticks", 0, tick_records), ("candles", 1, candle_records), ("json_ticks", 2, json_ticks), ("json_candles", 2, json_candles),
                              ("path", 3, "EURUSD/2019/01/04/BID_candles_min_1.bi5")]:
    put("dukascopy", name, choice, content)
for name, choice, content in [("gzip", 0, gzip.compress(csv.encode(), mtime=0)), ("zip", 1, zipped("a.csv", csv)), ("lzma", 2, alone(tick_records)),
                              ("utf16", 3, "time,é€😀".encode("utf-16"))]:
    put("unpack", name, choice, content)
for name, choice, content in [("decimal", 0, "1.5981999999999998"), ("iso", 0, "2019-01-07 03:04:05.678+02:00"), ("export", 1, "07.01.2019 03:04:05.678 GMT+0100"),
                              ("us", 2, "01/07/2019 3:04"), ("compact", 3, "20190107 030405678"), ("epoch", 4, "1546819200.25"), ("zone", 0, "UTC+05:30/EU")]:
    put("scan", name, choice, content)
for name, choice, content in [
        ("run", 0, '{"run":{"info":{"run_id":"r","status":"FINISHED","end_time":5,"artifact_uri":"s3://b/p"},"data":{"metrics":[{"key":"m","value":"NaN","timestamp":1,"step":"2"}],"tags":[{"key":"k","value":"v"}]}}}'),
        ("pages", 0, '{"experiments":[{"experiment_id":"1","name":"e"}],"runs":[],"metrics":[{"key":"m","value":1.5}],"next_page_token":"t"}'),
        ("files", 0, '{"files":[{"path":"d","is_dir":true},{"path":"f","file_size":"7"}]}'),
        ("version", 0, '{"model_version":{"name":"m","version":"3","source":"models:/m-1","aliases":["a"]},"model":{"info":{"model_id":"m-1","status":"LOGGED_MODEL_READY"}}}'),
        ("refusal", 1, '{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no"}'),
        ("list", 2, "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
                    "<Contents><Key>a+b%2F</Key><Size>7</Size></Contents></ListBucketResult>"),
        ("upload", 2, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"),
        ("error", 2, "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"),
        ("date", 3, "Tue, 14 Nov 2023 22:13:25 GMT"), ("url", 3, "https://u:p@[::1]:8443/a%20b?x=1#f")]:
    put("server_replies", name, choice, content)
put("hpo_json", "float", 0, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}')
put("hpo_json", "int", 0, '{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 1, "high": 9}}')
put("hpo_json", "categorical", 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["a\\u00e9", null, true, 1.5, NaN]}}')
put("hpo_json", "old", 0, '{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}')
put("hpo_json", "short", 0, '{"type": "int", "low": 1, "high": 9}')
put("hpo_json", "numbers", 1, '[1, -Infinity, 2.5e-3, NaN]')
put("hpo_json", "object", 2, '{"x": 0.5, "kind": "a\\"b", "n": 3, "none": null}')


# The spool: docs/formats/spool.md.
def number(value):
    return struct.pack("<q", value)


def text(value):
    return number(len(value)) + value.encode()


def pairs(*items):
    return number(len(items)) + b"".join(text(key) + text(value) for key, value in items)


def file(path, content, blob=""):
    return text(path) + text(content) + text(blob) + number(len(content)) + number(zlib.crc32(content.encode()))


def frame(seq, kind, payload):
    body = number(seq) + number(1546819200000) + bytes([kind]) + payload
    return struct.pack("<II", len(payload), zlib.crc32(body)) + body


def segment(first, *frames):
    return b"TWSPOOL1" + number(first) + b"".join(frames)


RUN = "pending-" + "0a" * 16
records = {
    "experiment": (0, text("e")), "run": (1, text(RUN) + text("1") + text("n") + text("") + pairs(("k", "v")) + number(5)),
    "status": (2, text(RUN) + number(3) + number(9)),
    "batch": (3, text(RUN) + number(1) + text("m") + struct.pack("<d", 0.5) + number(7) + number(1) + pairs(("p", "1")) + pairs()),
    "artifact": (4, text(RUN) + file("a/b.txt", "hello")), "model": (5, text(RUN) + text(RUN) + text("m") + number(1) + file("MLmodel", "x: 1", "00000001")),
    "version": (6, number(-5) + text("m") + text(RUN) + text("") + pairs()), "version_tag": (7, text("m") + number(-5) + text("k") + text("v")),
    "alias": (8, text("m") + text("champion") + number(-5)), "lifecycle": (9, text(RUN) + number(1))}
for name, (kind, payload) in records.items():
    # Choices 2 and 3 of four take a record; the type is the byte over four.
    put("tracking_spool", name, 4 * kind + 2, payload)
frames = [frame(i + 1, kind, payload) for i, (kind, payload) in enumerate(records.values())]
position = number(2) + number(1) + number(16 + len(frames[0]))
put("tracking_spool", "frame", 0, frames[3])
put("tracking_spool", "stream", 1, segment(1, *frames))
put("tracking_spool", "stream_resumed", 1, position + number(zlib.crc32(position)) + segment(1, *frames[:5]) + segment(6, *frames[5:]))
put("tracking_spool", "stream_torn", 1, segment(1, *frames[:3])[:-3] + segment(4, *frames[3:]))
put("tracking_spool", "stream_gap", 1, segment(1, *frames[:2]) + segment(7, *frames[6:]))
