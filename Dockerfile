# lostfound serve, without torch. Build: docker build -t lostfound . ; run: docker run --rm -p 8000:8000 lostfound
FROM python:3.12-slim AS build
COPY . /source
RUN python -m venv /opt/lostfound \
    && /opt/lostfound/bin/pip install --no-cache-dir -c /source/constraints.txt "/source[serve]"

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home lostfound
COPY --from=build /opt/lostfound /opt/lostfound
ENV PATH=/opt/lostfound/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["lostfound", "serve", "--host", "0.0.0.0"]
