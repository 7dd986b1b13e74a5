"""The same generation as a job on Amazon SageMaker.

It may import what generation may; boto3 and sagemaker only inside functions.
Begin with run.py; container.py is what runs in the job.
"""
