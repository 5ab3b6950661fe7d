/** Functions that the activities of the engine `emr` call. They load the AWS SDK's EMR client. */
export { emrBatch, verifyOnHdfs } from './hdfs.ts';
export { explainStep, resultErrors } from './outcome.ts';
export { closeCluster, openCluster, watchCluster } from './run-cluster.ts';
export { cancelSteps, submitStep } from './steps.ts';
