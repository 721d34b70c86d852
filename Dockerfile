# The production image: one image, three kinds of process.
#
#     docker run ... IMAGE                                  web, on port 8000
#     docker run ... IMAGE python manage.py runworker       a worker, any number
#     docker run ... IMAGE python manage.py runscheduler    a scheduler, any number (one leads)
#     docker run ... IMAGE python manage.py migrate         once for each new version
#
# It is configured by the environment; docs/configuration.md names every variable. compose.yaml runs it all on one machine.
#
# A release names the base image by its digest, so that the same sources always give the same image:
#
#     docker build --build-arg BASE_IMAGE=python:3.12-slim@sha256:... .
#
# The image contains /app/sbom.cdx.json, a software bill of materials (CycloneDX).
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils \
    && pip install --no-cache-dir cyclonedx-bom==7.5.0
WORKDIR /app
COPY requirements.txt deploy/build.sh ./
RUN ./build.sh packages /opt/venv && rm build.sh
RUN cyclonedx-py requirements requirements.txt --output-file sbom.cdx.json
COPY . .
RUN deploy/build.sh static /opt/venv && deploy/build.sh slim /opt/venv && rm -r deploy

FROM ${BASE_IMAGE}
RUN useradd --system --uid 10001 --no-create-home console
# The root file system may be read-only: what Python compiles goes to /tmp, which is a tmpfs then.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONPYCACHEPREFIX=/tmp/pycache
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
USER 10001
EXPOSE 8000
# Of web. compose.yaml and deploy/kubernetes/ ask worker and scheduler by `manage.py probe`.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "amazon_accounts.server", "--host", "0.0.0.0", "--port", "8000"]
