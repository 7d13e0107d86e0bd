# The image of a student's server on a JupyterHub (DockerSpawner, KubeSpawner): `docker build -t workshop-student .`
# It holds the locked packages that the notebooks need, and no answer, no test and no grader.
FROM python:3.13-slim
ENV PACKAGES="anywidget ipykernel ipywidgets jupyterhub jupyterlab matplotlib nbgrader notebook numpy"
COPY requirements.lock src/examiner/course/lock.py /tmp/lock/
RUN cd /tmp/lock \
 && python -c "import lock; print(lock.part_of_lock(open('requirements.lock').read(), '$PACKAGES'.split()))" > part.txt \
 && pip install --no-cache-dir --require-hashes -r part.txt \
 && rm -r /tmp/lock
RUN useradd --create-home student
USER student
WORKDIR /home/student
CMD ["jupyterhub-singleuser"]
