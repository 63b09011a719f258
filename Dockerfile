FROM python:3.12-slim-bookworm
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
 && useradd --system --home-dir /var/lib/leadlog leadlog \
 && install -d -o leadlog /var/lib/leadlog
USER leadlog
VOLUME /var/lib/leadlog
EXPOSE 8000
CMD ["leadlog", "serve", "--host", "0.0.0.0"]
