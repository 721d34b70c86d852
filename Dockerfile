# The production image: one image, three kinds of process.
#
#     docker run ... IMAGE                                  web, on port 8000
#     docker run ... IMAGE python manage.py runworker       a worker, any number
#     docker run ... IMAGE python manage.py runscheduler    a scheduler, any number (one leads)
#     docker run ... IMAGE python manage.py migrate         once for each new version
#
# It is configured by the environment; docs/configuration.md names every variable.
#
# A release names the base image by its digest, so that the same sources always give the same image:
#
#     docker build --build-arg BASE_IMAGE=python:3.12-slim@sha256:... .
#
# The image contains /app/sbom.cdx.json, a software bill of materials (CycloneDX).
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS sbom
COPY requirements.txt .
RUN pip install --no-cache-dir cyclonedx-bom==7.5.0 \
    && cyclonedx-py requirements requirements.txt --output-file /sbom.cdx.json

FROM ${BASE_IMAGE}

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN useradd --system --uid 10001 --no-create-home console

COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

COPY . .
COPY --from=sbom /sbom.cdx.json .
# Production insists on its variables; none of these values stays in the image.
RUN DATABASE_URL=postgresql://build@localhost/build SECRET_KEY=build INSECURE=1 ALLOWED_HOSTS=build \
    TOKEN_ENCRYPTION_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= PUBLIC_URL=https://build \
    AMAZON_CLIENT_ID=build AMAZON_CLIENT_SECRET=build \
    python manage.py collectstatic --no-input

USER console
EXPOSE 8000
CMD ["python", "-m", "amazon_accounts.server", "--host", "0.0.0.0", "--port", "8000"]
