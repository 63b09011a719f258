# The wheel is built with the tools of requirements.lock, none of which is in the image.
FROM python:3.12.11-slim-bookworm AS wheel
WORKDIR /src
COPY requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .

FROM python:3.12.11-slim-bookworm AS environment
RUN python -m venv /opt/leadlog
COPY requirements.runtime.lock ./
RUN /opt/leadlog/bin/pip install --no-cache-dir --disable-pip-version-check \
      --require-hashes -r requirements.runtime.lock
COPY --from=wheel /wheel /wheel
RUN /opt/leadlog/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps /wheel/*.whl \
 && /opt/leadlog/bin/pip check \
 && /opt/leadlog/bin/pip uninstall --yes pip

FROM python:3.12.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/leadlog leadlog \
 && install -d -o leadlog -m 0700 /var/lib/leadlog /var/lib/leadlog-signing
COPY --from=environment /opt/leadlog /opt/leadlog
ENV PATH=/opt/leadlog/bin:$PATH PYTHONUNBUFFERED=1 LEADLOG_DATA_DIR=/var/lib/leadlog
USER 10001
WORKDIR /var/lib/leadlog
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/ready', timeout=3)"]
CMD ["leadlog", "serve", "--host", "0.0.0.0"]
