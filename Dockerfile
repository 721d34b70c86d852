# The production image: one image, three kinds of process.
#
#     docker run ... IMAGE                                  web, on port 8000
#     docker run ... IMAGE python manage.py runworker       a worker, any number
#     docker run ... IMAGE python manage.py runscheduler    a scheduler, any number (one leads)
#     docker run ... IMAGE python manage.py migrate         once for each new version
#
# It is configured by the environment; docs/configuration.md names every variable.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN useradd --system --uid 10001 --no-create-home console

COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

COPY . .
# Production insists on its variables; none of these values stays in the image.
RUN DATABASE_URL=postgresql://build@localhost/build SECRET_KEY=build INSECURE=1 ALLOWED_HOSTS=build \
    TOKEN_ENCRYPTION_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= PUBLIC_URL=https://build \
    AMAZON_CLIENT_ID=build AMAZON_CLIENT_SECRET=build \
    python manage.py collectstatic --no-input

USER console
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--no-ws", "--host", "0.0.0.0", "--port", "8000", \
     "--workers", "2", "--blocking-threads", "4", "--respawn-failed-workers", "amazon_accounts.wsgi:application"]
