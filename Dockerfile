# The image of every part of Constantes; the command says which part. Built from the lock, hash by hash:
#   docker build --tag constantes:0.1.0 .
# Behind a mirror of the package index: --secret id=pip,src=pip.conf (pip's own configuration file).

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/constantes
COPY requirements/run.lock /src/requirements/run.lock
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/constantes/bin/pip install --require-hashes --only-binary=:all: --requirement /src/requirements/run.lock
COPY pyproject.toml README.md CHANGELOG.md LICENSE /src/
COPY ingest /src/ingest
COPY registry /src/registry
COPY gateway /src/gateway
COPY fhir_export /src/fhir_export
COPY console /src/console
COPY simulators /src/simulators
COPY app /src/app
# The lock holds the build tool too, so nothing is fetched here. pip is of no use to the finished image.
RUN /opt/constantes/bin/pip install --no-build-isolation --no-deps --no-index /src \
    && /opt/constantes/bin/pip uninstall --yes --quiet pip hatchling editables

FROM python:3.11.14-slim-bookworm
# Made here and given to the user, so that a new volume at either place belongs to the user too.
RUN groupadd --gid 1000 constantes \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /var/lib/constantes --shell /usr/sbin/nologin constantes \
    && install --directory --owner=1000 --group=1000 --mode=0700 /var/lib/constantes /var/lib/constantes/broker
COPY --from=build /opt/constantes /opt/constantes
ENV PATH=/opt/constantes/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 \
    CONSTANTES_DATA=/var/lib/constantes
WORKDIR /var/lib/constantes
USER 1000:1000
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 CMD ["constantes", "healthy"]
ENTRYPOINT ["constantes"]
CMD ["up"]
