"""The mends: what takes each back, and the case that then finds the fault.

Each is the shortest edit that brings the fault back, not the code of that time.
"""

from tests.torture.mends import Edit, Mend

_FORMATS = '*("mov", "matroska", '


def mend(item: int, name: str, case: str, file: str, now: str, without: str, *others: tuple[str, str, str]) -> Mend:
    return Mend(item, name, case, (Edit(file, now, without), *(Edit(*other) for other in others)))


def format_let_in(name: str, case: str, item: int, *others: tuple[str, str, str]) -> Mend:
    """A format of ffmpeg that names other files, or is no video."""
    without = f'*("{name}", "mov", "matroska", '
    return mend(item, f"format-{name}", case, "lolhl/vod/ffmpeg.py", _FORMATS, without, *others)


MENDS = (
    # 1: the end of a video whose key frames come irregularly
    mend(
        1, "end-at-last-key", "videos:irregular-keys", "lolhl/signals/source.py",
        "End(ending.count(view.fps), float", "End(ending.count(view.fps) - 2, float",
    ),
    mend(
        1, "end-of-short-clip", "videos:one-key-frame", "lolhl/signals/source.py",
        "End(ending.count(view.fps), float", "End(ending.count(view.fps) - 1, float",
    ),
    mend(
        1, "instant-after-the-end", "videos:ragged-end", "lolhl/vod/decode.py",
        "else grid.first_frame_at(self.end, fps)", "else grid.first_frame_at(self.end, fps) + 1",
    ),
    mend(
        1, "end-on-the-grid", "videos:ragged-end", "lolhl/vod/cpu.py",
        "number * self._up >= self._end * self._down", "number * self._up > self._end * self._down",
    ),
    mend(
        1, "last-picture-stays", "videos:slow", "lolhl/vod/cpu.py",
        "self._end = None if self._last is None else sum(self._last)",
        "self._end = None if self._last is None else self._last[0]",
    ),
    mend(
        1, "hidden-end", "videos:hidden-key-frame", "lolhl/vod/cpu.py",
        "(ticks or all(entry.packet.is_discard for entry in packets))", "ticks",
    ),
    # 2: timestamps that start again
    mend(
        2, "restarts", "videos:spliced-ts", "lolhl/vod/clock.py",
        "return step < -_BACK or step > _LOST", "return False",
    ),
    mend(
        2, "one-clock", "videos:spliced-ts", "lolhl/vod/trim.py",
        '"-bsf:v", _RUN_ON, "-bsf:a", _RUN_ON', '"-bsf:a", _RUN_ON',
    ),
    # 3: frame sets of other settings
    mend(
        3, "side-by-side", "pairs:two-views-2", "lolhl/layout.py",
        'return f"{frames_folder(vod)}{name}/"', 'return f"{frames_folder(vod)}3fps-64px-squeeze-q90/"',
    ),
    mend(
        3, "shards-digest", "stored:other-picture", "lolhl/frames/frameset.py",
        "if digest != output.sha256:", "if False:",
    ),
    # 4: the user's file
    mend(
        4, "copy", "calls:linked-source", "lolhl/stages/origins.py",
        "digest = _copy(self.path, copy, bar)", "digest = copy.hardlink_to(self.path)  # None",
        ("lolhl/manifest.py", "if size not in [output.size for output in self.outputs if output.key == key]:",
         "if False:"),
    ),
    mend(
        4, "copy-of-growing", "calls:growing-source", "lolhl/stages/origins.py",
        "digest = _copy(self.path, copy, bar)", "digest = copy.hardlink_to(self.path)  # None",
        ("lolhl/stages/origins.py", "if self._now() != self._at_first or copied not in (None, self._sha256):",
         "if False:"),
    ),
    # 5: names
    mend(
        5, "champion", "stored:champion", "lolhl/models/champion.py", "if name.lower() in _RESERVED:", "if False:",
    ),
    mend(
        5, "champion-file", "calls:reserved-name", "lolhl/models/champion.py",
        "if name.lower() in _RESERVED:", "if False:",
        ("lolhl/storage/__init__.py", "if name.lower().endswith(_FILES):", "if False:"),
    ),
    mend(
        5, "endings", "stored:endings", "lolhl/storage/__init__.py",
        "if name.lower().endswith(_FILES):", "if False:",
    ),
    mend(
        5, "twins", "stored:twin-model", "lolhl/storage/__init__.py",
        "if existing != name and existing.lower() == name.lower()", "if False",
    ),
    mend(
        5, "twins-of-vods", "stored:twin-vod", "lolhl/stages/download.py",
        '    check_new(root, key, vod, "VOD")\n', "",
    ),
    mend(
        5, "devices", "stored:devices", "lolhl/storage/__init__.py",
        'if name.endswith(".") or name.partition(".")[0].lower() in _WINDOWS:', "if False:",
    ),
    # 6: roots that moved, publications that fail
    mend(
        6, "moved-root", "calls:moved-root", "lolhl/models/tracking.py", "        _relocate(database)\n", "",
    ),
    mend(
        6, "moved-root-locked", "calls:moved-root-locked", "lolhl/models/tracking.py",
        "        _relocate(database)\n", "",
    ),
    mend(
        6, "model-before-registry", "stored:publication-fails", "lolhl/stages/train.py",
        "        trained = todo.store(result, {layout.weights(name): weights})\n",
        "        output = manifest.Output.with_digest(layout.weights(name), weights)\n"
        "        root.write(output.key, weights)\n"
        "        trained = todo.manifest(result, [output])\n"
        "        publication.publish(root, name, trained, config.register, config.alias)\n"
        "        todo.finish(result, [output])\n",
    ),
    mend(
        6, "published-again", "stored:publication-fails", "lolhl/stages/train.py",
        "            publication.publish(root, name, earlier, config.register, config.alias)\n", "",
    ),
    # 7: files that name other files
    mend(
        7, "manifests-of-dash", "videos:mpd-part", "lolhl/vod/ffmpeg.py",
        ', "-format_whitelist", ",".join(formats)]', "]",
        # PyAV's libraries do not know DASH, so they refuse it where they look first.
        ("lolhl/stages/origins.py", "        _check_video(self.path, self.source)\n", ""),
        ("lolhl/stages/origins.py", "if remuxed := clock.run_on(", "if remuxed := None and clock.run_on("),
    ),
    format_let_in(
        "hls", "videos:hls", 7, ("lolhl/vod/trim.py", "    _check_segments(video)\n    return", "    return")
    ),
    format_let_in("concat", "videos:ffconcat", 7),
    mend(
        7, "numbered-stills", "videos:numbered-stills", "lolhl/vod/ffmpeg.py",
        _FORMATS, '*("image2", "png_pipe", "mov", "matroska", ',
    ),
    mend(
        7, "whitelists", "videos:ffconcat", "lolhl/vod/ffmpeg.py",
        ', "-format_whitelist", ",".join(formats)]', "]",
        ("lolhl/vod/ffmpeg.py", ', "format_whitelist": ",".join(FORMATS)}', "}"),
    ),
    # 8: dry runs
    mend(
        8, "docker-values", "jobs:dry-run-local_docker", "components/schedulers/docker.py",
        "super()._submit_dryrun(app, _without_copies(cfg))", "super()._submit_dryrun(app, cfg)",
    ),
    mend(
        8, "docker-all-values", "jobs:all-variables", "components/schedulers/docker.py",
        "super()._submit_dryrun(app, _without_copies(cfg))", "super()._submit_dryrun(app, cfg)",
    ),
    # 9: secrets in messages
    mend(
        9, "redaction", "calls:endpoint-secret", "lolhl/text.py",
        "    for secret in sorted(set(_secrets()), key=len, reverse=True):\n",
        "    return text\n    for secret in sorted(set(_secrets()), key=len, reverse=True):\n",
    ),
    mend(
        9, "endpoint-path", "calls:endpoint-secret", "lolhl/text.py",
        'path = f"/{HIDDEN}" if path.strip("/") else path', "pass",
    ),
    mend(
        9, "mlflow-password", "calls:mlflow-password", "lolhl/models/tracking.py",
        'return re.sub(r"://\\S*@", "://", text)', "return text",
        ("lolhl/text.py", "    for secret in sorted(set(_secrets()), key=len, reverse=True):\n",
         "    return text\n    for secret in sorted(set(_secrets()), key=len, reverse=True):\n"),
    ),
    mend(
        9, "mlflow-query", "calls:mlflow-password", "lolhl/text.py",
        "elif query := re.search", "elif query := None and re.search",
        ("lolhl/text.py", 'return _SIGNED.sub(rf"\\1{HIDDEN}", text)', "return text"),
    ),
    # 10: control characters
    mend(
        10, "printable", "calls:escape-name", "lolhl/text.py",
        "return _ODD.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)", "return text",
    ),
    mend(
        10, "printable-errors", "labels:control-characters", "lolhl/text.py",
        'line = printable(redacted(" ".join(text.split())))', 'line = redacted(" ".join(text.split()))',
    ),
    # 11: least rights
    mend(
        11, "ffmpeg-environment", "jobs:ffmpeg-environment", "lolhl/vod/process.py",
        "if any(fnmatchcase(name.upper(), pattern) for pattern in allowed)", "if allowed",
    ),
    mend(
        11, "twitch-environment", "jobs:twitch-environment", "lolhl/vod/twitch.py",
        "*(*process.NETWORK, *process.PYTHON),", '"*",',
    ),
    mend(
        11, "pods-secrets", "jobs:dry-run-kubernetes", "components/schedulers/kubernetes.py",
        "for credential in sorted(credentials)", "for credential in secrets",
    ),
    mend(
        11, "containers-secrets", "jobs:dry-run-local_docker", "components/_credentials.py",
        "    return all(\n", "    return True or all(\n",
    ),
    mend(
        11, "dns", "jobs:network-policies", "manifests/base/network.yaml",
        "  namespace: lolhl\nspec:\n  podSelector: {}\n  policyTypes: [Egress]\n  egress:\n    - to:\n"
        "        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n"
        "          podSelector: {matchLabels: {k8s-app: kube-dns}}\n      ports:\n",
        "  namespace: lolhl\nspec:\n  podSelector: {}\n  policyTypes: [Egress]\n  egress:\n    - ports:\n",
    ),
    mend(
        11, "database-namespace", "jobs:namespaces", "manifests/base/database.yaml",
        "  namespace: lolhl-mlflow\nspec:\n  serviceName:", "  namespace: lolhl\nspec:\n  serviceName:",
    ),
    mend(
        11, "workflow-keys", "jobs:workflow-keys", ".github/workflows/retrain.yml",
        "      LOLHL_LIKE: ${{ vars.LOLHL_LIKE }}\n",
        "      LOLHL_LIKE: ${{ vars.LOLHL_LIKE }}\n      AWS_SECRET_ACCESS_KEY: ${{ secrets.AWS_SECRET_ACCESS_KEY }}\n",
    ),
    mend(
        11, "actions-version", "jobs:workflow-keys", ".github/workflows/retrain.yml",
        "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683", "actions/checkout@v4",
    ),
    mend(
        11, "images-version", "jobs:namespaces", "manifests/base/database.yaml",
        "image: postgres:", "image: postgres #",
    ),
    # 12: what is endless
    mend(
        12, "endless-download", "http:cut-without-tag", "lolhl/vod/fetch.py",
        "has_much = part.stat().st_size >= most + _MUCH", "has_much = True",
        ("lolhl/vod/fetch.py", "_FRESH_STARTS = 5 ", "_FRESH_STARTS = 10**9 "),
    ),
    mend(
        12, "endless-chunk", "http:chunk-endless", "lolhl/vod/fetch.py",
        "except (OSError, http.client.HTTPException, ValueError) as error:", "except OSError as error:",
    ),
    mend(
        12, "labels-of-a-pipe", "labels:fifo", "lolhl/stages/labels.py", "os.O_RDONLY | os.O_NONBLOCK", "os.O_RDONLY",
    ),
    mend(
        12, "labels-of-a-device", "labels:zero", "lolhl/stages/labels.py",
        "opened.read(_LARGEST + 1)", "opened.read()",
        ("lolhl/stages/labels.py", "if not S_ISREG(os.fstat(opened.fileno()).st_mode):", "if False:"),
    ),
    mend(
        12, "fps-of-options", "calls:fps-huge", "lolhl/grid.py",
        "Fraction(match[0]) if match else Fraction(0)", "Fraction(text)",
    ),
    mend(
        12, "fps-of-labels", "calls:fps-huge-labels", "lolhl/grid.py",
        "Fraction(match[0]) if match else Fraction(0)", "Fraction(text)",
    ),
    mend(
        12, "fps-of-models", "manifests:view-fps-huge", "lolhl/models/bundle.py",
        'fps: Annotated[str, Meta(pattern=r"^[0-9]{1,9}(/[1-9][0-9]{0,8})?$")]', "fps: str",
    ),
    mend(
        12, "fastest-model", "manifests:view-fps-240000", "lolhl/models/bundle.py",
        "if not 0 < fps <= 240:", "if False:",
    ),
    mend(
        12, "clip-frames", "manifests:clip-frames-huge", "lolhl/models/video.py",
        '"frames in a clip; the scored one in the middle", at_least=1, at_most=10_000',
        '"frames in a clip; the scored one in the middle", at_least=1',
    ),
    # 13: tracebacks
    mend(
        13, "title", "videos:title-rotation-90", "lolhl/vod/probe.py",
        "if rotation in (90, 270):", 'if rotation in (90, 270) or "90.00" in str(container.metadata):',
    ),
    mend(
        13, "edl-of-slow", "videos:slow", "lolhl/timecode.py", "frames = max(1, round(fps))", "frames = round(fps)",
    ),
    mend(
        13, "tall-thumbnail", "videos:tall", "lolhl/vod/cpu.py", "_HIGHEST = 2 ", "_HIGHEST = 1000 ",
    ),
    mend(
        13, "hosts", "http:hosts", "lolhl/vod/fetch.py", '        (parts.hostname or "").encode("idna")', "        #",
        ("lolhl/vod/fetch.py", "except ValueError as error:  # of a proxy", "except ZeroDivisionError as error:  #"),
    ),
    mend(
        13, "length-text", "http:length-text", "lolhl/vod/fetch.py",
        'int(size) if re.fullmatch(r"\\d{1,18}", size, re.ASCII) else None', "int(size) if size else None",
    ),
    mend(
        13, "location", "http:location-broken", "lolhl/vod/fetch.py",
        "    except (ValueError, UsageError):\n        named", "    except UsageError:\n        named",
    ),
    mend(
        13, "console", "http:s3-html", "lolhl/storage/bucket.py",
        "except (ResponseParserError, _NoS3Answer, ValueError, KeyError, TypeError) as error:",
        "except ZeroDivisionError as error:",
    ),
    mend(
        13, "redirects", "http:s3-loop-307", "lolhl/storage/bucket.py",
        '    client.meta.events.register_last("before-parameter-build.s3", _do_not_follow)\n', "",
    ),
    mend(
        13, "long-object", "http:s3-length-huge", "lolhl/storage/bucket.py",
        'b"".join(answer["Body"].iter_chunks(_MIB))', 'answer["Body"].read(answer["ContentLength"])',
    ),
    mend(
        13, "ascii", "calls:ascii", "lolhl/text.py",
        'stream.reconfigure(errors="backslashreplace")', "pass",
    ),
    mend(
        13, "slowest-labels", "calls:studio-rate", "lolhl/grid.py",
        "Fraction(match[0]) if match else Fraction(0)", "Fraction(text)",
        ("lolhl/grid.py", "if not SLOWEST <= fps <= FASTEST:", "if not 0 < fps <= FASTEST:"),
        ("lolhl/stages/labels.py", "        at_least=SLOWEST,\n", ""),
    ),
    mend(
        13, "shortest", "calls:report-lengths", "lolhl/highlights/cut.py",
        'within, in seconds", at_least=0.1', 'within, in seconds", at_least=0',
    ),
    mend(
        13, "closed-streams", "calls:closed-all", "lolhl/cli.py", "    text.open_standard_streams()\n", "",
    ),
    mend(
        13, "missing-driver", "calls:postgresql", "lolhl/models/tracking.py",
        "except ImportError as error:", "except ZeroDivisionError as error:",
    ),
    mend(
        13, "little-memory", "calls:memory-0.5", "lolhl/cli.py", "    memory.check_limit()\n", "",
        ("lolhl/cli.py", "if is_short_of_memory(error):", "if False:"),
    ),
    mend(
        13, "rate-of-scores", "manifests:scores-fps-0", "lolhl/results.py",
        "if not SLOWEST <= self.fps <= FASTEST:", "if False:",
    ),
    mend(
        13, "figures", "manifests:scores-figures", "lolhl/results.py", "model_metrics: ModelFigures | None",
        "model_metrics: Any",
    ),
    mend(
        13, "highlights", "manifests:report-highlights", "lolhl/results.py",
        "highlights: list[ReportedHighlight]", "highlights: list[Any]",
    ),
    mend(
        13, "agreement", "manifests:report-labelled", "lolhl/results.py", "labelled: Agreement | None", "labelled: Any",
    ),
    mend(
        13, "settings", "manifests:config-seed-like", "lolhl/config.py",
        "except UsageError as error:\n        raise StorageError",
        "except ZeroDivisionError as error:\n        raise StorageError",
    ),
    mend(
        13, "columns", "manifests:index-column", "lolhl/tables.py", "if name not in there:", "if False:",
    ),
    mend(
        13, "columns-types", "manifests:index-text", "lolhl/tables.py", "if there[name] != kind:", "if False:",
    ),
    mend(
        13, "picture-size", "manifests:jpeg-of-another-size", "lolhl/frames/frameset.py",
        "if picture.shape != (side, side, 3):", "if False:",
        ("lolhl/frames/frameset.py", "if digest != output.sha256:", "if False:"),
    ),
    mend(
        13, "eight-channels", "signals:eight-channels", "lolhl/vod/sound.py",
        "if not frame.format.is_planar or frame.layout.nb_channels < _PLANES:", "if True:",
    ),
    mend(
        13, "unknown-codec", "signals:unknown-codec", "lolhl/vod/probe.py",
        "sound = next(filter(_is_known, container.streams.audio), None)",
        "sound = next(iter(container.streams.audio), None)",
    ),
    mend(
        13, "half-characters", "signals:chat-surrogate", "lolhl/stages/download.py",
        'text.encode(errors="replace")', "text.encode()",
    ),
    mend(
        13, "chat-of-strangers", "signals:chat-huge-time", "lolhl/stages/origins.py",
        "(ValueError, KeyError, TypeError, OverflowError, RecursionError)", "(ValueError, KeyError, TypeError)",
    ),
    # 14: what says the wrong thing
    mend(
        14, "clips", "videos:clips-vp8", "lolhl/stages/joined_clips.py",
        "except VideoError:", "except ZeroDivisionError:",
    ),
    mend(
        14, "full-disk", "calls:full-root", "lolhl/machine.py", "    errno.ENOSPC: _FULL,\n", "",
    ),
    mend(
        14, "full-tmp", "calls:full-tmp-report", "lolhl/vod/ffmpeg.py",
        "if shortage := machine.shortage(text):", "if shortage := None:",
    ),
    mend(
        14, "broken-ffmpeg", "calls:broken-ffmpeg", "lolhl/vod/ffmpeg.py",
        'return done.returncode == 0 and done.stdout.startswith(b"ffmpeg version")', "return True",
        ("lolhl/vod/ffmpeg.py", "_NO_PROGRAM = (126, 127)", "_NO_PROGRAM = ()"),
    ),
    mend(
        14, "nan-track", "manifests:nan-track", "lolhl/tracks/rows.py", "if digest.startswith(sha256):", "if True:",
    ),
    mend(
        14, "clock-skew", "http:s3-skew", "lolhl/storage/bucket.py",
        "if skewed or (status == 403 and _is_clock_off(error)):", "if False:",
    ),
    mend(
        14, "answers-twice", "http:s3-status-500", "lolhl/storage/bucket.py",
        'reason = f"{status} ({reason})" if reason else str(status)', 'reason = f"{status} {code}"',
    ),
    mend(
        14, "unreadable-folder", "calls:unreadable-vods", "lolhl/storage/folder.py",
        "os.walk(below, onerror=refuse)", "os.walk(below)",
    ),
    format_let_in("png_pipe", "videos:png", 14),
    format_let_in("webp_pipe", "videos:webp", 14),
    mend(
        14, "page-width", "pages:long-title", "lolhl/report/page.css", " overflow-wrap: anywhere; }", " }",
    ),
    mend(
        13, "late-stream", "videos:late-sound", "lolhl/vod/ffmpeg.py",
        "    with suppress(IndexError):\n        yield from container.demux(stream)",
        "    yield from container.demux(stream)",
    ),
    # 15: Volcano
    mend(
        15, "min-available", "jobs:gangs", "components/schedulers/kubernetes.py",
        '        spec["minAvailable"] = sum(_least(role) for role in app.roles)\n', "",
    ),
    mend(
        15, "min-success", "jobs:dry-run-kubernetes", "components/schedulers/kubernetes.py",
        '        spec["minSuccess"] = len(spec["tasks"])\n', "",
    ),
    mend(
        15, "no-gang-of-replicas", "jobs:gangs", "components/_helpers.py",
        "        min_replicas=1,  # they do not wait for each other\n", "",
    ),
    mend(
        15, "first-replica", "jobs:gangs", "components/schedulers/kubernetes.py",
        '            task["minAvailable"] = int(_least(role) == role.num_replicas)\n', "",
    ),
    mend(
        15, "one-line", "jobs:unknown-queue", "components/_commands.py",
        "except SchedulerError as error:", "except ZeroDivisionError as error:",
    ),
    mend(
        15, "refusals", "jobs:forbidden", "components/schedulers/kubernetes.py",
        "        with _one_line():\n            app_id: str = super().schedule(dryrun_info)",
        "        if True:\n            app_id: str = super().schedule(dryrun_info)",
    ),
    mend(
        15, "retries", "jobs:no-namespace", "components/schedulers/kubernetes.py",
        'warnings.filterwarnings("ignore", r"\\s*Role .* configured with restarts")', "pass",
    ),
)  # fmt: skip
