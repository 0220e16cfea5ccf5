# One image per service from one file: docker build --build-arg SERVICE=policy -t countersign-policy:0.1.0 .
# Only what the service needs is installed, from its part of requirements.lock, hashes checked. Runs as an unprivileged user
# on a read-only root; it writes to /data (a volume) and /tmp (memory) and nowhere else.
FROM python:3.11-slim AS packages
ARG SERVICE
COPY deploy/locks/${SERVICE}.lock /tmp/requirements.lock
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --no-compile --only-binary :all: --require-hashes -r /tmp/requirements.lock \
 && /opt/venv/bin/pip uninstall --yes pip setuptools \
 && (python -m compileall -q /opt/venv/lib || true)

FROM python:3.11-slim
# LightGBM links the system's OpenMP; the other services carry its 300 kB without using it, so that one layer serves all.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && install -d -o 65532 -g 65532 /data
ARG SERVICE
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="countersign-${SERVICE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.description="Inventory planning that someone can defend: ${SERVICE}"
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY schemas schemas
COPY kernel kernel
COPY kit kit
COPY services services
COPY cli cli
COPY deploy/*.py deploy/
RUN python -m compileall -q /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SERVICE=${SERVICE} \
    COUNTERSIGN_DATA_DIR=/data \
    COUNTERSIGN_HTTP_HOST=0.0.0.0 \
    COUNTERSIGN_HTTP_PORT=8080
USER 65532:65532
VOLUME ["/data"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=6 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
# exec: the service itself is process 1 and gets the signals.
CMD ["sh", "-c", "exec python -m services.${SERVICE}.main"]
