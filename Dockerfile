# A class in a container. Build: docker build -t advlab .
# Run: docker run --init -p 8501:8501 -v advlab:/data advlab class --host-name http://HOST:8501
# HOST is the machine's name or number, by which students reach it; behind a proxy see the README.
# The code and the teacher's link stand in its log. A login's secrets, readable by user 1000, go to
# /home/advlab/.streamlit/secrets.toml (-v "$PWD/secrets.toml:/home/advlab/.streamlit/secrets.toml:ro").
FROM python:3.11-slim

ENV ADVLAB_HOME=/data OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE PYTHONUNBUFFERED=1
# torch's own index of wheels for CPUs, given to --build-arg, makes a far smaller image
ARG PIP_EXTRA_INDEX_URL
COPY . /src
RUN pip install --no-cache-dir '/src[minilm,login]' \
    && rm -rf /src \
    && useradd --create-home --uid 1000 advlab \
    && install -d -o advlab -g advlab -m 700 /data
USER advlab
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
ENTRYPOINT ["advlab"]
CMD ["class"]
