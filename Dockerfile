# One image, three commands: the API (default), `liftlock worker`, `liftlock db upgrade`.
FROM python:3.13.9-slim-trixie AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/liftlock && python -m venv /opt/build
# What changes seldom first: the dependencies, as locked and tested.
COPY deploy/requirements.lock deploy/build.lock deploy/
RUN /opt/liftlock/bin/python -m pip install --require-hashes --only-binary :all: -r deploy/requirements.lock \
    && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: -r deploy/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY app/ app/
COPY worker/ worker/
COPY local/ local/
COPY migrations/ migrations/
COPY recipes/ recipes/
RUN /opt/build/bin/python -m hatchling build -t wheel dist \
    && /opt/liftlock/bin/python -m pip install --no-deps --no-index dist/*.whl

FROM python:3.13.9-slim-trixie

RUN groupadd --gid 10001 liftlock \
    && useradd --uid 10001 --gid liftlock --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin liftlock
COPY --from=build /opt/liftlock /opt/liftlock
ENV PATH=/opt/liftlock/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LIFTLOCK_HOST=0.0.0.0 \
    LIFTLOCK_PORT=8700 \
    LIFTLOCK_LOG_JSON=true
USER 10001:10001
WORKDIR /tmp
EXPOSE 8700
STOPSIGNAL SIGTERM
# For the API; a worker says of itself whether it works, see compose.yaml.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['LIFTLOCK_PORT']}/readyz\", timeout=4)"]
CMD ["python", "-m", "app.main"]
